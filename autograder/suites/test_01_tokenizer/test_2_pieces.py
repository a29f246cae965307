"""Section 2 of 01_tokenizer. Cutting the text into pieces."""

from autograder.suite import Draw, Student, exercise, expect

from .oracles import library_pieces, mixed_text

# pre_tokenize -----------------------------------------------------------------------------


@exercise("pre_tokenize", weight=1)
def test_no_character_is_lost(student: Student, draw: Draw):
    """A text with words, signs, line ends and runs of white space, and an empty one."""
    fragments = ["  ", "\n\n", "\tso", " -- ", "'tis", " 12.5%", " \u00a0", "🐇", "_", " \n"]
    text = " \n" + mixed_text(draw, fragments, 8) + "\n "
    got = student.pre_tokenize(text)
    expect(got).true(
        isinstance(got, list) and all(isinstance(piece, str) and piece for piece in got),
        "Return a list of strings, none of them empty.",
    )
    expect("".join(got)).equals(
        text, "The pieces, concatenated, must be the text: every character belongs to a piece."
    )
    expect(student.pre_tokenize("")).equals([], "An empty text has no pieces: return [].")


@exercise("pre_tokenize", weight=2)
def test_words_numbers_and_signs_are_separate_pieces(student: Student, draw: Draw):
    """Words, numbers and punctuation with single spaces."""
    fragments = [" 1865", "12", "!?", " ...", "(", " x", ".", " --", "7th", " #"]
    text = mixed_text(draw, fragments, 12)
    expect(student.pre_tokenize(text)).equals(
        library_pieces(text),
        "Letters, numbers and other signs are never in one piece; a single space before a run "
        "belongs to the run that follows it.",
        mistakes={
            "You split at white space and lost it.": text.split(),
            "You returned the whole text as one piece.": [text],
        },
    )


@exercise("pre_tokenize", weight=1)
def test_contractions_are_cut_in_lower_case_only(student: Student, draw: Draw):
    """Contractions in both cases, also after numbers and signs, and other apostrophes."""
    endings = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"]
    fragments = [f" {draw.word()}{ending}" for ending in endings]
    fragments += [f" it{ending.upper()}" for ending in endings] + [" o'clock", " x'sy", " 'tis"]
    fragments += [" the 1980's", " (why)'ll", " _'t", " it\u2019s", " ''re"]
    text = "".join(draw.shuffled(fragments))
    expect(student.pre_tokenize(text)).equals(
        library_pieces(text),
        "Rule 1 takes exactly 's 't 're 've 'm 'll 'd, in lower case, wherever they stand; "
        "any other apostrophe falls under rule 4.",
    )


@exercise("pre_tokenize", weight=1)
def test_letters_and_numbers_are_those_of_unicode(student: Student, draw: Draw):
    """Accents (also combining ones), other scripts, superscripts, fractions, `_`, emoji."""
    fragments = [
        " x²!",
        " 12½",
        "snake_case",
        " été",
        " Жук7",
        " 兎は",
        " ٣٤",
        "Ⅷ)",
        " ß_",
        "🐇🐇",
        " cafe\u0301s",
    ]
    text = mixed_text(draw, fragments, 4)
    expect(student.pre_tokenize(text)).equals(
        library_pieces(text),
        r"Letters are \p{L} and numbers \p{N} of the package regex (so ² and ½ are numbers); the "
        r"underscore and combining marks are neither. \w and \d, a-z and 0-9 are other sets.",
    )


@exercise("pre_tokenize", weight=1)
def test_runs_of_white_space_leave_one_for_the_next_word(student: Student, draw: Draw):
    """Runs of spaces, tabs and line ends before words, before signs, and at the end."""
    blanks = ["  ", "   ", "\n", "\n\n", " \n", "\n ", "\t", " \t ", "\r\n", "\u00a0 "]
    blanks += ["\n\n\n", "\n \n", "\u2003\u2003\u2003", " \u3000", "\u2009 "]
    body = "".join(blank + draw.word() for blank in draw.shuffled(blanks))
    for end in ("  !", "   ", "\n"):
        text = body + end
        expect(student.pre_tokenize(text)).equals(
            library_pieces(text),
            "Rule 5 is a run of white space with nothing but white space or the end after it, so "
            "its last character is left to what follows; rule 6 takes what remains.",
        )

"""Hidden suite of 01_tokenizer.

Strategy: pre-tokens, merges and encodings are compared with the `tokenizers` library on keyed
texts; most corpora are free of ties, so that a wrong tie rule costs the tie test and nothing else.
Decoding is compared with bytes put together by hand. Log-probabilities are compared with closed
forms and their gradients, and with the enumeration of all sequences of a tiny model, which must
add up to one.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import pairwise, product
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from autograder.suite import Draw, Student, exercise, expect

# The corpora are tiny, and the library's threads would only disturb the grader's forks.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

DEPENDS = {
    "train_bpe": ["pre_tokenize", "count_pairs", "merge_pair"],
    "encode": ["pre_tokenize", "merge_pair"],
    "sequence_logp": ["token_logps"],
    "corpus_perplexity": ["perplexity"],
}
_LIBRARIES = ["tokenizers", "transformers", "sentencepiece", "tiktoken"]
FORBIDDEN = {
    "pre_tokenize": _LIBRARIES,
    "count_pairs": _LIBRARIES,
    "merge_pair": _LIBRARIES,
    "train_bpe": _LIBRARIES,
    "encode": _LIBRARIES,
    "decode": _LIBRARIES,
}

Pair = tuple[int, int]
Word = tuple[int, ...]

_BYTE_LEVEL = pre_tokenizers.ByteLevel(add_prefix_space=False)
_PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
_HIDDEN = [byte for byte in range(256) if byte not in _PRINTABLE]
_CHARACTER = {
    **{byte: chr(byte) for byte in _PRINTABLE},
    **{byte: chr(256 + i) for i, byte in enumerate(_HIDDEN)},
}
# A byte's id is the rank of its mapped character among the library's alphabet.
_RANK = {char: i for i, char in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
_ID = {byte: _RANK[char] for byte, char in _CHARACTER.items()}
_BYTE_VOCAB = {_ID[byte]: bytes([byte]) for byte in range(256)}
_BYTE = {char: byte for byte, char in _CHARACTER.items()}


def library_pieces(text: str) -> list[str]:
    """The pre-tokens of the library, as slices of the text."""
    return [text[start:end] for _, (start, end) in _BYTE_LEVEL.pre_tokenize_str(text)]


def library_training(
    texts: list[str], vocab_size: int, min_frequency: int = 0
) -> tuple[dict[int, bytes], list[Pair]]:
    """(vocab, merges) as the library learns them, in the form of `train_bpe`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = _BYTE_LEVEL
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    ids = tokenizer.get_vocab()
    vocab = {i: bytes(_BYTE[char] for char in token) for token, i in ids.items()}
    learnt = json.loads(tokenizer.to_str())["model"]["merges"]
    return vocab, [(ids[left], ids[right]) for left, right in learnt]


def library_encoding(text: str, merges: list[Pair]) -> list[int]:
    """The ids that the library gives with these merges."""
    token = {i: _CHARACTER[data[0]] for i, data in _BYTE_VOCAB.items()}
    for k, (left, right) in enumerate(merges):
        token[256 + k] = token[left] + token[right]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={name: i for i, name in token.items()},
            merges=[(token[left], token[right]) for left, right in merges],
        )
    )
    tokenizer.pre_tokenizer = _BYTE_LEVEL
    return tokenizer.encode(text).ids


def ids_of(text: str) -> list[int]:
    """The byte ids of a text."""
    return [_ID[byte] for byte in text.encode("utf-8")]


def merged(word: Word, pair: Pair, new_id: int) -> Word:
    """The word with the pair replaced from the left."""
    result: list[int] = []
    for each in word:
        result.append(each)
        # A pair that ends in an id just written would be an overlap.
        if tuple(result[-2:]) == pair:
            result[-2:] = [-1]
    return tuple(new_id if each == -1 else each for each in result)


def counted(words: dict[Word, int]) -> dict[Pair, int]:
    """Pair counts, in the order in which a scan meets the pairs."""
    counts: dict[Pair, int] = {}
    for word, frequency in words.items():
        for pair in pairwise(word):
            counts[pair] = counts.get(pair, 0) + frequency
    return counts


def trained(
    pieces: Iterable[str],
    steps: int,
    choose: Callable[[dict[Pair, int]], Pair],
    recount: bool = True,
    weighted: bool = True,
) -> list[Pair]:
    """Merges under another rule of choice, for the mistakes and to find ties."""
    words: dict[Word, int] = dict(Counter(tuple(ids_of(piece)) for piece in pieces))
    if not weighted:
        words = dict.fromkeys(words, 1)
    merges: list[Pair] = []
    counts = counted(words)
    while len(merges) < steps and counts:
        pair = choose(counts)
        words = {merged(word, pair, 256 + len(merges)): n for word, n in words.items()}
        merges.append(pair)
        if recount:
            counts = counted(words)
        else:
            del counts[pair]
    return merges


def smallest(counts: dict[Pair, int]) -> Pair:
    return min(counts, key=lambda pair: (-counts[pair], pair))


def largest(counts: dict[Pair, int]) -> Pair:
    return max(counts, key=lambda pair: (counts[pair], pair))


def first_seen(counts: dict[Pair, int]) -> Pair:
    return max(counts, key=lambda pair: counts[pair])


def rarest(counts: dict[Pair, int]) -> Pair:
    return min(counts, key=lambda pair: (counts[pair], pair))


def pieces_of(texts: list[str]) -> list[str]:
    return [piece for text in texts for piece in library_pieces(text)]


def counts_decide(pieces: list[str], steps: int) -> bool:
    """Whether each of the first `steps` merges has a count of its own at the top."""
    words: dict[Word, int] = dict(Counter(tuple(ids_of(piece)) for piece in pieces))
    for step in range(steps):
        counts = counted(words)
        top = max(counts.values(), default=0)
        best = [pair for pair, count in counts.items() if count == top]
        if len(best) != 1:
            return False
        words = {merged(word, best[0], 256 + step): n for word, n in words.items()}
    return True


def tie_free_texts(draw: Draw, steps: int, letters: str = "abcd") -> list[str]:
    """Three texts whose first `steps` merges are decided by the counts alone."""
    while True:
        words = [
            "".join(draw.choice(letters) for _ in range(draw.integer(3, 7))) for _ in range(14)
        ]
        bag = draw.shuffled([word for word in words for _ in range(draw.integer(1, 40))])
        third = len(bag) // 3
        parts = (bag[:third], bag[third:-third], bag[-third:])
        texts = [", ".join(part) for part in parts]
        if counts_decide(pieces_of(texts), steps):
            return texts


def mixed_text(draw: Draw, fragments: list[str], count: int) -> str:
    """All fragments once, and words between them, in a keyed order."""
    return "".join(draw.shuffled([*fragments, *(" " + draw.word() for _ in range(count))]))


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


# count_pairs ------------------------------------------------------------------------------


@exercise("count_pairs", weight=1)
def test_pairs_are_weighted_by_the_frequency_of_the_word(student: Student, draw: Draw):
    """Words that share pairs, each with its own frequency."""
    a, b, c, d = draw.sample(range(300), 4)
    words = {(a, b, c): 5, (c, a, b): 3, (a, b): 11, (b, c, d): draw.integer(20, 40)}
    words = {word: words[word] for word in draw.shuffled(list(words))}
    want = counted(words)
    last = {pair: n for word, n in words.items() for pair in pairwise(word)}
    expect(student.count_pairs(words)).equals(
        want,
        "Every occurrence of a pair counts as often as its word occurs, added over all words.",
        mistakes={
            "You ignored the frequencies of the words.": counted(dict.fromkeys(words, 1)),
            "You kept the count of the last word only instead of adding.": last,
        },
    )
    big, bigger = draw.sample(range(1000, 60_000), 2)
    many = draw.integer(2000, 90_000)
    expect(student.count_pairs({(a, b): 1, (big, bigger, c): many, (bigger, c): 1})).equals(
        {(a, b): 1, (big, bigger): many, (bigger, c): many + 1},
        "Every pair that occurs is counted: one that occurs a single time, one that occurs "
        "very often, and ids of any size.",
    )


@exercise("count_pairs", weight=1)
def test_overlapping_pairs_all_count(student: Student, draw: Draw):
    """Runs of one id, and a pair that occurs twice in a word."""
    a, b = draw.sample(range(300), 2)
    n, m, k = draw.integer(2, 9), draw.integer(10, 19), draw.integer(20, 29)
    words = {(a, a, a): n, (a,) * 6: m, (a, b, a, b): k}
    once = {(a, a): n + m, (a, b): k, (b, a): k}
    expect(student.count_pairs(words)).equals(
        {(a, a): 2 * n + 5 * m, (a, b): 2 * k, (b, a): k},
        "Neighbours are counted at every position, overlapping ones too: a run of three "
        "holds its pair twice.",
        mistakes={
            "You counted without overlap.": {(a, a): n + 3 * m, (a, b): 2 * k, (b, a): k},
            "You counted a pair once per word, not at every position.": once,
        },
    )


@exercise("count_pairs", weight=1)
def test_pairs_live_inside_one_word_and_keep_their_order(student: Student, draw: Draw):
    """Words of one id, words whose ends meet, mirrored pairs; and no words at all."""
    a, b, c = draw.sample(range(300), 3)
    n, m = draw.integer(2, 9), draw.integer(10, 19)
    words = {(a, b): n, (c,): 7, (b, a): m, (a,): 3}
    got = student.count_pairs(words)
    expect(got).equals(
        {(a, b): n, (b, a): m},
        "Pairs are ordered and do not cross the border of two words; a word of one id has none, "
        "and pairs that do not occur are absent.",
        mistakes={
            "You counted across word borders.": counted({(a, b, c, b, a, a): 1}),
            "You treated (a, b) and (b, a) as the same pair.": {tuple(sorted((a, b))): n + m},
        },
    )
    expect(student.count_pairs({})).equals({}, "Without words there are no pairs: return {}.")


# merge_pair -------------------------------------------------------------------------------


@exercise("merge_pair", weight=1)
def test_every_occurrence_is_replaced(student: Student, draw: Draw):
    """The pair at the start, next to itself, in the middle and at the end."""
    a, b, c, d = draw.sample(range(1, 256), 4)
    new = draw.integer(300, 999)
    ids = [a, b, a, b, c, a, b, d, d, a, b]
    expect(student.merge_pair(ids, (a, b), new)).equals(
        [new, new, c, new, d, d, new],
        "Every occurrence becomes the new id, also the one at the end; all other ids stay.",
        mistakes={
            "You stopped after the first occurrence.": [new, *ids[2:]],
            "You lost the last id.": [new, new, c, new, d, d],
        },
        exact=True,
    )
    big, other = draw.sample(range(1000, 9000), 2)
    for pair in ((0, a), (a, 0), (big, other)):
        left, right = pair
        expect(student.merge_pair([left, right, c, left, right], pair, 9999)).equals(
            [9999, c, 9999],
            "Any id may be part of the pair: 0 is an id like the others, and large ids are "
            "compared by value, with ==.",
        )


@exercise("merge_pair", weight=1)
def test_odd_runs_merge_from_the_left(student: Student, draw: Draw):
    """An odd run of one id, merged with itself."""
    a, c = draw.sample(range(1, 256), 2)
    new = draw.integer(300, 999)
    expect(student.merge_pair([c, a, a, a, a, a, c], (a, a), new)).equals(
        [c, new, new, a, c],
        "Merge from left to right without overlap: the odd one out is the last.",
        mistakes={
            "You merged from the right.": [c, a, new, new, c],
            "You let occurrences overlap.": [c, new, new, new, new, c],
        },
    )


@exercise("merge_pair", weight=1)
def test_only_the_pair_itself_is_merged(student: Student, draw: Draw):
    """Members of the pair alone or in the other order; ids whose digits look like the pair."""
    a, b = draw.integer(1, 5), draw.integer(5, 10)
    new = draw.integer(300, 999)
    ids = [b, a, 10 + a, b, a, 10 * b + 3, b, a, b, b, 100 + a, b, a]
    expect(student.merge_pair(ids, (a, b), new)).equals(
        [b, a, 10 + a, b, a, 10 * b + 3, b, new, b, 100 + a, b, a],
        "Only the left id directly followed by the right id is merged. Compare ids, not "
        "their digits.",
    )


@exercise("merge_pair", weight=1)
def test_words_too_short_for_a_pair_and_ids_just_written(student: Student, draw: Draw):
    """No id, one id, and a new id that could form the pair again."""
    a, b = draw.sample(range(1, 256), 2)
    expect(student.merge_pair([], (a, b), 300)).equals([], "An empty word stays empty.")
    expect(student.merge_pair([a], (a, b), 300)).equals([a], "A word of one id stays as it is.")
    expect(student.merge_pair([a, b, b, b], (a, b), a)).equals(
        [a, b, b], "One pass from left to right: an id just written is not merged again."
    )


# train_bpe --------------------------------------------------------------------------------


def training(student: Student, *args: Any, **kwargs: Any) -> tuple[dict, list]:
    """The student's (vocab, merges), once it is certain that they are a dict and a list."""
    got = student.train_bpe(*args, **kwargs)
    fits = isinstance(got, tuple | list) and len(got) == 2
    expect(got).true(
        fits and isinstance(got[0], dict) and isinstance(got[1], tuple | list),
        "Return two things: (vocab, merges), a dict and a list.",
    )
    return got[0], got[1]


JOINED = "You joined the texts: the end of one text and the start of the next are not neighbours."


@exercise("train_bpe", weight=6)
def test_merges_of_a_corpus_without_ties(student: Student, draw: Draw):
    """Three texts in which the counts alone decide every merge."""
    steps = 8
    texts = tie_free_texts(draw, steps)
    _, want = library_training(texts, 256 + steps)
    got = training(student, texts, 256 + steps)
    pieces = pieces_of(texts)
    crossing = " ".join(texts)
    expect(got[1]).equals(
        want,
        "At each step, count all pairs anew and merge the most frequent one; merges[k] is "
        "a pair of ids and makes id 256 + k.",
        mistakes={
            "You chose by counts that are stale: count again after each merge.": trained(
                pieces, steps, smallest, recount=False
            ),
            "You ignored how often each pre-token occurs.": trained(
                pieces, steps, smallest, weighted=False
            ),
            "You merged the rarest pair first.": trained(pieces, steps, rarest),
            "You did not pre-tokenise: merges crossed the borders of words.": trained(
                [crossing], steps, smallest
            ),
            "You learnt from the first text only.": trained(
                library_pieces(texts[0]), steps, smallest
            ),
            JOINED: trained(library_pieces("".join(texts)), steps, smallest),
        },
    )


@exercise("train_bpe", weight=2)
def test_ties_go_to_the_smallest_pair_of_ids(student: Student, draw: Draw):
    """Small corpora in which many pairs are equally frequent, with and without spaces."""
    for _ in range(3):
        letters = draw.sample("abcdefghij", 5)
        words = [letters[0] * 2 + letters[1], letters[2] + letters[3] * 3, letters[4] + letters[0]]
        text = " ".join(draw.shuffled(words * 2))
        _, want = library_training([text], 264)
        pieces = library_pieces(text)
        expect(training(student, [text], 264)[1]).equals(
            want,
            "Among equally frequent pairs take the smallest (id_a, id_b), compared as tuples; ids "
            "follow BYTE_TO_ID, where the space is 220.",
            mistakes={
                "You took the pair seen first.": trained(pieces, 8, first_seen),
                "You took the largest pair.": trained(pieces, 8, largest),
            },
        )


@exercise("train_bpe", weight=2)
def test_the_vocabulary_spells_every_id(student: Student, draw: Draw):
    """The 256 bytes and the merged entries of a corpus without ties, accents included."""
    steps = 6
    texts = tie_free_texts(draw, steps, letters="éЖcd")
    want, _ = library_training(texts, 256 + steps)
    vocab = training(student, texts, 256 + steps)[0]
    expect(vocab).true(
        all(isinstance(data, bytes) for data in vocab.values()),
        "vocab is a dict from ids to bytes, not to str.",
    )
    expect({i: vocab.get(i) for i in range(256)}).equals(
        _BYTE_VOCAB, "The ids 0 to 255 are the bytes in the order of BYTE_VOCAB, all of them."
    )
    message = "Entry 256 + k is the bytes of the left part of merges[k], then of the right part."
    joined = library_training(["".join(texts)], 256 + steps)[0]
    expect(vocab).equals(want, message, mistakes={JOINED: joined})
    # Two characters that share two of their three bytes: the first merge is not a character.
    shared = draw.shuffled(["兎"] * draw.integer(6, 9) + ["先"] * draw.integer(2, 5))
    expect(training(student, shared, 259)[0]).equals(
        library_training(shared, 259)[0],
        message + " It need not be valid UTF-8.",
        mistakes={JOINED: library_training(["".join(shared)], 259)[0]},
    )


@exercise("train_bpe", weight=1)
def test_tokens_may_be_long_or_blank(student: Student, draw: Draw):
    """A long word and a long run of spaces, each several times, merged to the end."""
    letters = "".join(draw.sample("abcdefghijklmnopqrstuvwxyz", 24))
    text = f"{letters}\n" * 5 + "x" + (" " * 12 + "x") * 7
    vocab, merges = library_training([text], 300)
    expect(training(student, [text], 300)).equals(
        (vocab, merges),
        "A token may be as long as a pre-token, and white space is merged like everything else.",
    )


@exercise("train_bpe", weight=1)
def test_no_merge_crosses_the_border_of_a_pre_token_or_a_text(student: Student, draw: Draw):
    """Signs that always follow a word, and texts that always end and begin alike."""
    a, b = draw.sample("abcdef", 2)
    texts = [f"{a}{b}!", f"{a}{b}", f"{a}{b}", f"{a}{b}{b}"]
    first = (_ID[ord(a)], _ID[ord(b)])
    expect(training(student, texts, 300)[1]).equals(
        [first, (256, first[1])],
        "No pair crosses the border of a pre-token, and the end of one text and the start "
        "of the next are not neighbours.",
    )


@exercise("train_bpe", weight=1)
def test_training_stops_below_the_minimum_frequency(student: Student, draw: Draw):
    """Four words of two letters, with the frequencies 6, 4, 3 and 1, and several thresholds."""
    letters = draw.sample("abcdefghijklmnop", 8)
    words = ["".join(letters[2 * i : 2 * i + 2]) for i in range(4)]
    frequencies = [6, 4, 3, 1]
    texts = draw.shuffled([w for w, n in zip(words, frequencies, strict=True) for _ in range(n)])
    merges = [(_ID[ord(word[0])], _ID[ord(word[1])]) for word in words]
    for threshold in (5, 4, 3, 2, 1):
        keep = sum(n >= threshold for n in frequencies)
        expect(training(student, texts, 300, threshold)[1]).equals(
            merges[:keep],
            "Stop when the best count is less than max(1, min_frequency).",
            mistakes={
                "You ignored min_frequency.": merges,
                "A pair that occurs exactly min_frequency times is still merged.": merges[
                    : sum(n > threshold for n in frequencies)
                ],
                JOINED: library_training(["".join(texts)], 300, threshold)[1],
            },
        )
    expect(training(student, texts, 300, min_frequency=0)[1]).equals(
        merges, "With min_frequency=0, pairs are merged as long as they occur at all."
    )


@exercise("train_bpe", weight=1)
def test_training_stops_at_the_vocabulary_size_or_without_pairs(student: Student, draw: Draw):
    """A vocabulary that is full, one that never fills, one of bytes only, and no text."""
    texts = tie_free_texts(draw, 3)
    for size, steps in ((256, 0), (100, 0), (257, 1), (259, 3)):
        vocab, merges = training(student, texts, size)
        expect((len(vocab), len(merges))).equals(
            (256 + steps, steps),
            "vocab_size counts the 256 bytes: len(vocab) == 256 + len(merges), at most vocab_size, "
            "and no merge at 256 or below. Each call starts from its own copy of BYTE_VOCAB.",
        )
    a, b = draw.sample("abcdef", 2)
    expect(training(student, [a + b, a], 999)[1]).equals(
        [(_ID[ord(a)], _ID[ord(b)])],
        "Stop when no pair is left, however large vocab_size is.",
        mistakes={JOINED: [(_ID[ord(a)], _ID[ord(b)]), (256, _ID[ord(a)])]},
    )
    expect(training(student, [], 300)[1]).equals([], "Without text there is nothing to merge.")


# encode -----------------------------------------------------------------------------------


@exercise("encode", weight=3)
def test_encodings_are_those_of_the_library(student: Student, draw: Draw):
    """Merges learnt on one text, ids of others with new words, signs and line ends."""
    _, merges = library_training([draw.text(150)], 360)
    for _ in range(2):
        strange = ["".join(draw.choice("etaoinshrdl") for _ in range(9)) for _ in range(6)]
        text = mixed_text(draw, ["\n", "  ", " 42", "!", "'s", *strange], 6)
        expect(student.encode(text, merges)).equals(
            library_encoding(text, merges),
            "In each pre-token, merge the pair that was learnt first, again and again, until "
            "no pair of the word is among the merges.",
            mistakes={"You did not merge anything.": ids_of(text)},
        )
    long = "".join(draw.sample("abcdefghijklmnopqrstuvwxyz", 20))
    chain = [_ID[ord(letter)] for letter in long]
    pairs = [(chain[0] if k == 0 else 255 + k, right) for k, right in enumerate(chain[1:])]
    expect(student.encode(f"{long} {long}", pairs)).equals(
        [274, _ID[ord(" ")], 274],
        "A word may need many merges: go on until no pair of it is left, however often that is.",
    )


def _spelled(merges: list[Pair]) -> dict[int, bytes]:
    vocab = dict(_BYTE_VOCAB)
    for k, (left, right) in enumerate(merges):
        vocab[256 + k] = vocab[left] + vocab[right]
    return vocab


def longest_match(word: str, merges: list[Pair]) -> list[int]:
    """What WordPiece does: the longest entry that fits, from the left."""
    entries = {data: i for i, data in _spelled(merges).items()}
    data, result = word.encode("utf-8"), []
    while data:
        size = max(n for n in range(1, len(data) + 1) if data[:n] in entries)
        result.append(entries[data[:size]])
        data = data[size:]
    return result


def merge_as_you_go(word: str, merges: list[Pair]) -> list[int]:
    """Pushes ids and merges the top two whenever it can."""
    rank = {pair: k for k, pair in enumerate(merges)}
    stack: list[int] = []
    for each in ids_of(word):
        stack.append(each)
        while len(stack) > 1 and (stack[-2], stack[-1]) in rank:
            stack[-2:] = [256 + rank[(stack[-2], stack[-1])]]
    return stack


def last_learnt_first(word: str, merges: list[Pair]) -> list[int]:
    """The highest rank first."""
    rank = {pair: k for k, pair in enumerate(merges)}
    ids = tuple(ids_of(word))
    while present := [pair for pair in pairwise(ids) if pair in rank]:
        pair = max(present, key=lambda each: rank[each])
        ids = merged(ids, pair, 256 + rank[pair])
    return list(ids)


@exercise("encode", weight=2)
def test_the_pair_learnt_first_is_merged_first(student: Student, draw: Draw):
    """Merges that overlap, so that every other order gives other ids."""
    letters = sorted(draw.sample("abcdefghijklmnop", 4))
    # In both alphabetical orders, so that no order of the ids can stand in for the ranks.
    for a, b, c, d in (letters, letters[::-1]):
        i, j, k, m = (_ID[ord(letter)] for letter in (a, b, c, d))
        merges = [(j, k), (i, j), (257, k), (k, m), (j, 259), (259, m)]
        words = {
            # bc is learnt first, so bcd (from b and cd) and abc (from ab and c) are never reached.
            b + c + d + d: [256, m, m],
            a + b + c + d: [i, 256, m],
            a + b + b + c + d: [257, 256, m],
            # abc is the bytes of an entry that the merges cannot reach.
            a + b + c: [i, 256],
            # ab occurs three times, yet bc was learnt before it.
            a + b + c + a + b + c + a + b: [i, 256, i, 256, 257],
            c + d + b + c + d + d: [259, 256, m, m],
            a + b + c + d + d + c + d + d: [i, 256, m, m, 261],
        }
        for word, want in words.items():
            expect(student.encode(word, merges)).equals(
                want,
                "Of the pairs present, merge the one with the lowest rank: the one learnt first.",
                mistakes={
                    "You merged from the left as soon as you could.": merge_as_you_go(word, merges),
                    "You took the longest entry from the left.": longest_match(word, merges),
                    "You merged the pair learnt last first.": last_learnt_first(word, merges),
                },
            )


@exercise("encode", weight=1)
def test_no_merge_crosses_the_border_of_a_pre_token_in_encoding(student: Student, draw: Draw):
    """Merges that would join a word with the sign, the number or the space after it."""
    a, b = draw.sample("abcdef", 2)
    i, j, space, sign, digit = (_ID[ord(each)] for each in (a, b, " ", "!", "7"))
    merges = [(j, sign), (j, space), (i, j), (258, sign), (j, digit), (space, i)]
    expect(student.encode(f"{a}{b}! {a}{b} {b}7", merges)).equals(
        [258, sign, space, 258, space, j, digit],
        "Cut the text with pre_tokenize first; a pair is merged only inside a piece.",
    )


@exercise("encode", weight=1)
def test_bytes_without_merges_and_beyond_ascii(student: Student, draw: Draw):
    """Other scripts, emoji, control characters, no merges, and no text."""
    text = "".join(draw.shuffled(["é", "兎", "🐇", "\x00", "Ж", " ", "\n", "ÿ", "\u00ad", "\x7f"]))
    expect(student.encode(text, [])).equals(
        ids_of(text),
        "Without merges, the ids are BYTE_TO_ID of the UTF-8 bytes of the text.",
        mistakes={
            "You used the bytes themselves as ids.": list(text.encode("utf-8")),
            "You used code points instead of UTF-8 bytes.": [
                _ID.get(ord(char), ord(char)) for char in text
            ],
        },
    )
    first, second = (_ID[byte] for byte in "é".encode())
    pair = (first, second)
    cases = [([], [*pair, *pair]), ([pair], [256, 256]), ([pair, (256, 256)], [257])]
    for merges, want in (*cases, ([(second, first)], [first, 256, second])):
        expect(student.encode("éé", merges)).equals(
            want,
            "Merges work on bytes, so they can put a character of several bytes together; the ids "
            "depend on the merges of this call only.",
        )
    expect(student.encode("", [(64, 65)])).equals([], "An empty text has no ids: return [].")


# decode -----------------------------------------------------------------------------------


def _cut(data: bytes, draw: Draw) -> tuple[list[int], dict[int, bytes]]:
    """Bytes cut into tokens of one to three bytes, with keyed ids."""
    tokens = []
    while data:
        size = draw.integer(1, 4)
        tokens.append(data[:size])
        data = data[size:]
    ids = draw.sample(range(2000), len(tokens))
    return ids, dict(zip(ids, tokens, strict=True))


@exercise("decode", weight=2)
def test_characters_may_be_spread_over_tokens(student: Student, draw: Draw):
    """Characters of two, three and four bytes, cut anywhere."""
    text = "".join(draw.shuffled(["é", "€", "😀", "兎", "a", " ", "🐇", "Ж", "z", "👩‍🚀"]))
    ids = ids_of(text)
    expect(student.decode(ids, _BYTE_VOCAB)).equals(
        text,
        "Join the bytes of all tokens, then decode once.",
        mistakes={
            "You decoded token by token, which breaks characters of several bytes.": "".join(
                _BYTE_VOCAB[i].decode("utf-8", "replace") for i in ids
            ),
            "You decoded as Latin-1.": text.encode().decode("latin-1"),
            "You dropped what a token alone could not decode.": "".join(
                _BYTE_VOCAB[i].decode("utf-8", "ignore") for i in ids
            ),
        },
    )


@exercise("decode", weight=1)
def test_any_vocabulary_will_do(student: Student, draw: Draw):
    """A vocabulary with ids of its own, tokens of several bytes, and one used twice."""
    text = draw.text(6) + " 😀é兎!"
    ids, vocab = _cut(text.encode("utf-8"), draw)
    spaces = [2001, *ids, 2001]
    expect(student.decode(spaces, {**vocab, 2001: b"ab"})).equals(
        "ab" + text + "ab",
        "Look every id up in the vocabulary that you were given, one by one and in order.",
    )
    # All 256 bytes under the same ids in another order.
    turned = {(i + 1) % 256: data for i, data in _BYTE_VOCAB.items()}
    expect(student.decode([(i + 1) % 256 for i in ids_of(text)], turned)).equals(
        text, "The vocabulary that you were given need not be that of train_bpe."
    )


@exercise("decode", weight=1)
def test_bytes_that_are_not_utf8_become_the_replacement_character(student: Student, draw: Draw):
    """An emoji cut at the end and in the middle, and a byte that never begins a character."""
    word, emoji = draw.word(), draw.choice(["😀", "🐇", "🎩"]).encode()
    vocab = {0: word.encode(), 1: emoji[:2], 2: emoji[2:], 3: b"\x80", 4: b"\xff"}
    for ids in ([0, 1], [1, 0], [0, 3, 0], [4, 1, 2], [1, 1, 2]):
        data = b"".join(vocab[i] for i in ids)
        expect(student.decode(ids, vocab)).equals(
            data.decode("utf-8", "replace"),
            'Decode with errors="replace": the character U+FFFD stands for what is not UTF-8.',
            mistakes={
                "You ignored the bytes that are not valid.": data.decode("utf-8", "ignore"),
                "You decoded as Latin-1.": data.decode("latin-1"),
                "You decoded token by token.": "".join(
                    vocab[i].decode("utf-8", "replace") for i in ids
                ),
            },
        )


@exercise("decode", weight=1)
def test_nothing_is_stripped_or_cleaned_up(student: Student, draw: Draw):
    """White space at both ends, control characters, a byte-order mark, and no ids."""
    text = f" \t\n{draw.word()} , it 's  \x00\r\n\ufeff Ġ "
    ids, vocab = _cut(text.encode("utf-8"), draw)
    expect(student.decode(ids, vocab)).equals(
        text,
        "The text is exactly what the bytes say: no stripping, no clean-up of spaces.",
        mistakes={"You stripped the text.": text.strip()},
    )
    for text in (f"\ufeff{draw.word()}", f"{draw.word()}e\u0301", f"{draw.word()}\x00"):
        ids, other = _cut(text.encode("utf-8"), draw)
        expect(student.decode(ids, other)).equals(
            text,
            "A byte-order mark at the start, a combining accent and a NUL at the end are "
            "characters like all others: no stripping, no normalisation.",
        )
    expect(student.decode([], vocab)).equals("", "No ids decode to an empty string.")


@exercise("decode", weight=1)
def test_an_unknown_id_raises_key_error(student: Student, draw: Draw):
    """An id outside the vocabulary, alone and among others."""
    word = draw.word()
    ids, vocab = _cut(word.encode(), draw)
    for wrong in ([2500], [*ids, -1], [3000, *ids]):
        expect(student.raised("decode", wrong, vocab)).equals(
            "KeyError", "An id that is not in the vocabulary raises KeyError."
        )


# token_logps ------------------------------------------------------------------------------


def reference_logps(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Log-probabilities element by element, in float64; 0 where ignored."""
    want = torch.zeros(targets.shape, dtype=torch.float64)
    for index in product(*map(range, targets.shape)):
        target = int(targets[index])
        if target != -100:
            row = logits[index].double().tolist()
            top = max(row)
            want[index] = row[target] - top - math.log(sum(math.exp(x - top) for x in row))
    return want


def one_hot_minus_softmax(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The gradient of each token's log-probability in its own logits; 0 where ignored."""
    grad = torch.zeros_like(logits)
    for b, t in product(*map(range, targets.shape)):
        if targets[b, t] != -100:
            weights = (logits[b, t] - logits[b, t].max()).exp()
            grad[b, t] = -weights / weights.sum()
            grad[b, t, targets[b, t]] += 1
    return grad


@exercise("token_logps", weight=2)
def test_each_target_gets_its_log_softmax(student: Student, draw: Draw):
    """Random logits of several shapes, with as many positions as tokens or as rows."""
    for b, t, v in ((3, 4, 6), (2, 5, 5), (1, 1, 3), (4, 4, 6)):
        logits = 2 * draw.normal(b, t, v)
        targets = draw.integers(0, v, b, t)
        want = reference_logps(logits, targets)
        index = targets.unsqueeze(-1)
        mistakes = {
            "You returned probabilities.": want.exp(),
            "You used base 2; log-probabilities here are natural.": want / math.log(2),
            "The sign is that of a loss; log-probabilities are at most 0.": -want,
            "You returned logits: subtract the logarithm of the sum of exponentials.": (
                logits.gather(-1, index).squeeze(-1)
            ),
        }
        if t > 1:
            mistakes["You normalised over positions; the vocabulary is the last dimension."] = (
                logits.log_softmax(1).gather(-1, index).squeeze(-1)
            )
        expect(student.token_logps(logits, targets)).close(
            want,
            "logits[b, t] predicts targets[b, t], aligned: take log softmax over the last "
            "dimension and pick the target.",
            mistakes=mistakes,
        )


@exercise("token_logps", weight=1)
def test_large_logits_neither_overflow_nor_underflow(student: Student, draw: Draw):
    """Logits moved by a thousand, and a target that is a thousand nats away."""
    logits = draw.normal(2, 3, 4)
    targets = draw.integers(0, 4, 2, 3)
    for shift in (1000.0, -1000.0):
        expect(student.token_logps(logits + shift, targets)).close(
            reference_logps(logits, targets),
            "A constant added to all logits changes nothing: exp() of large logits overflows; use "
            "log_softmax or logsumexp.",
        )
    far = torch.tensor([[[0.0, -1000.0, -2000.0]]], dtype=torch.float64)
    expect(student.token_logps(far, torch.tensor([[1]]))).close(
        torch.tensor([[-1000.0]], dtype=torch.float64),
        "log(softmax(...)) underflows to minus infinity, where log_softmax is finite.",
    )
    farther = -float(draw.integer(20_000, 90_000))
    expect(
        student.token_logps(
            torch.tensor([[[0.0, farther]]], dtype=torch.float64), torch.tensor([[1]])
        )
    ).close(
        torch.tensor([[farther]], dtype=torch.float64),
        "A log-probability has no lower bound: do not clamp it.",
    )


@exercise("token_logps", weight=1)
def test_ignored_targets_give_zero_whatever_their_logits(student: Student, draw: Draw):
    """Ignored positions at both ends of ragged rows, some with logits that are NaN."""
    logits = draw.normal(3, 5, 7)
    targets = draw.integers(0, 7, 3, 5)
    targets[0, :2] = -100
    targets[1, 3:] = -100
    targets[2, 0] = targets[2, 4] = -100
    message = "Where the target is -100 the result is exactly 0, even if the logits are NaN."
    expect(student.token_logps(logits, targets)).close(
        reference_logps(logits, targets),
        message,
        mistakes={
            "You counted ignored positions, with some other id as their target.": (
                reference_logps(logits, targets.clamp(min=0))
            ),
            "You used -100 as an index from the end.": reference_logps(logits, targets % 7),
        },
    )
    broken = logits.clone()
    broken[0, 1] = broken[2, 4] = math.nan
    broken[1, 4] = -math.inf
    expect(student.token_logps(broken, targets)).close(
        reference_logps(logits, targets),
        message + " Select with masked_fill or where; NaN times 0 is NaN.",
    )


@exercise("token_logps", weight=1)
def test_the_gradient_is_one_hot_minus_softmax(student: Student, draw: Draw):
    """The gradient of a weighted sum of log-probabilities, ignored positions included."""
    logits = draw.normal(2, 4, 5)
    targets = draw.integers(0, 5, 2, 4)
    targets[0, 3] = targets[1, 0] = -100
    weight = draw.normal(2, 4)
    got = student.grad("token_logps", logits, targets, wrt=(0,), cotangent=weight)
    expect(got).true(
        got.requires_grad and got.grads[0] is not None,
        "The result is detached from the logits: training needs its gradient.",
    )
    expect(got.grads[0]).close(
        one_hot_minus_softmax(logits, targets) * weight.unsqueeze(-1),
        "The gradient in the logits is the one-hot target minus the softmax, and 0 where ignored.",
    )


@exercise("token_logps", weight=1)
def test_the_dtype_of_the_logits_is_kept(student: Student, draw: Draw):
    """Single precision in, single precision out."""
    logits = draw.normal(2, 3, 4, dtype=torch.float32)
    targets = draw.integers(0, 4, 2, 3)
    targets[1, 2] = -100
    expect(student.token_logps(logits, targets)).close(
        reference_logps(logits, targets).float(),
        "The result is a tensor [B, T] with the dtype of the logits.",
    )


# shift_labels -----------------------------------------------------------------------------


def _rows(rows: list[list[int]]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.long)


@exercise("shift_labels", weight=2)
def test_targets_are_the_next_tokens_of_the_completion(student: Student, draw: Draw):
    """Full rows with prompts of different lengths, and no padding."""
    ids = draw.integers(1, 50, 4, 7)
    lengths = torch.tensor(draw.shuffled([1, 2, 4, 6]))
    position = torch.arange(7)

    def masked(first: torch.Tensor) -> torch.Tensor:
        return torch.where(position >= first.unsqueeze(1), ids, -100)

    want = masked(lengths)[:, 1:]
    got = student.shift_labels(ids, lengths, 0)
    expect(got).tensor(
        (4, 6), torch.long, "Return [B, T - 1], torch.long: one target per row of logits[:, :-1]."
    )
    expect(got).equals(
        want,
        "targets[:, t] is input_ids[:, t + 1], and -100 where that token belongs to the prompt, "
        "that is where t + 1 < prompt_len.",
        mistakes={
            "You did not shift: logits[t] predict token t + 1.": masked(lengths)[:, :-1],
            "You shifted the wrong way or twice.": torch.cat(
                [masked(lengths)[:, 2:], torch.full((4, 1), -100)], dim=1
            ),
            "The first token of the completion must be predicted, too: compare t + 1 with "
            "prompt_len, not t.": masked(lengths + 1)[:, 1:],
            "The last token of the prompt must not be predicted.": masked(lengths - 1)[:, 1:],
            "You did not mask the prompt.": ids[:, 1:],
        },
    )


@exercise("shift_labels", weight=2)
def test_the_first_eos_counts_and_padding_does_not(student: Student, draw: Draw):
    """Ragged rows, padded with the EOS id; one row is cut off and has no EOS."""
    pad = draw.integer(20, 30)
    a, b, c, d, e = draw.integers(1, 20, 5).tolist()
    ids = _rows(
        [
            [a, b, c, d, pad, pad, pad],
            [b, c, d, e, a, b, pad],
            [c, d, pad, pad, pad, pad, pad],
            [d, e, a, b, c, d, e],
        ]
    )
    x = -100
    want = _rows(
        [
            [x, c, d, pad, x, x],
            [x, x, e, a, b, pad],
            [d, pad, x, x, x, x],
            [x, a, b, c, d, e],
        ]
    )
    got = student.shift_labels(ids, torch.tensor([2, 3, 1, 2]), pad)
    padded = ids[:, 1:].clone()
    padded[want == x] = x
    everything = want.clone()
    everything[0, 4:] = pad
    everything[2, 2:] = pad
    expect(got).equals(
        want,
        "After the prompt the first pad_id is the EOS: it is kept, and every later token is -100.",
        mistakes={
            "You masked the EOS: the model would never learn to stop.": want.masked_fill(
                want == pad, x
            ),
            "You kept the padding.": everything,
        },
    )


@exercise("shift_labels", weight=1)
def test_the_pad_id_inside_the_prompt_is_an_ordinary_token(student: Student, draw: Draw):
    """Prompts that begin with the pad id, as a start-of-text token, or hold it elsewhere."""
    pad = draw.integer(20, 30)
    a, b, c, d, e = draw.integers(1, 20, 5).tolist()
    ids = _rows([[pad, a, b, c, pad, pad], [a, pad, pad, b, c, d], [pad, pad, e, pad, pad, pad]])
    x = -100
    expect(student.shift_labels(ids, torch.tensor([2, 3, 2]), pad)).equals(
        _rows([[x, b, c, pad, x], [x, x, b, c, d], [x, e, pad, x, x]]),
        "Look for the EOS behind the prompt only: a pad_id within the prompt ends nothing.",
    )


@exercise("shift_labels", weight=1)
def test_empty_and_one_token_completions(student: Student, draw: Draw):
    """A completion that is only the EOS, one of one token, and prompts that fill the row."""
    pad = draw.integer(20, 30)
    a, b, c = draw.integers(1, 20, 3).tolist()
    ids = _rows(
        [[a, b, pad, pad], [a, b, c, a], [c, b, a, pad], [a, pad, pad, pad], [b, pad, pad, pad]]
    )
    x = -100
    expect(student.shift_labels(ids, torch.tensor([2, 4, 3, 4, 1]), pad)).equals(
        _rows([[x, pad, x], [x, x, x], [x, x, pad], [x, x, x], [pad, x, x]]),
        "An EOS directly after the prompt is the whole completion; a prompt that fills the "
        "row leaves nothing to predict.",
    )
    expect(student.shift_labels(_rows([[a, b]]), torch.tensor([1]), pad)).equals(
        _rows([[b]]), "Two tokens give one target."
    )


# sequence_logp ----------------------------------------------------------------------------


def complete_sequences(v: int, t_max: int, eos: int) -> list[Word]:
    """Every sequence that ends with its first eos, or has t_max tokens and no eos."""
    found = set()
    for word in product(range(v), repeat=t_max):
        found.add(word[: word.index(eos) + 1] if eos in word else word)
    return sorted(found)


@exercise("sequence_logp", weight=2)
def test_the_probabilities_of_all_sequences_add_up_to_one(student: Student, draw: Draw):
    """Every sequence of a tiny model, EOS-terminated and truncated ones, in one padded batch."""
    for v, t_max in ((3, 3), (4, 2)):
        eos = draw.integer(0, v)
        words = complete_sequences(v, t_max, eos)
        table = {word[:t]: draw.normal(v) for word in words for t in range(len(word))}
        logits = 3 + draw.normal(len(words), t_max, v)
        targets = torch.full((len(words), t_max), -100)
        for row, word in enumerate(words):
            for t, token in enumerate(word):
                logits[row, t] = table[word[:t]]
                targets[row, t] = token
        got = student.sequence_logp(logits, targets)
        expect(got).tensor((len(words),), torch.float64, "Return [B], with the dtype of logits.")
        lengths = (targets != -100).sum(-1)
        logps = reference_logps(logits, targets)
        expect(got).close(
            logps.sum(-1),
            "Add the log-probabilities of all targets that are not -100, EOS included.",
            mistakes={
                "You took the mean over the tokens: log pi(y|x) is a sum.": logps.sum(-1) / lengths,
                "You took the mean over the width of the batch.": logps.mean(-1),
                "You left out the EOS, or the last token.": torch.stack(
                    [logps[row, : n - 1].sum() for row, n in enumerate(lengths.tolist())]
                ),
                "You counted the ignored positions.": reference_logps(
                    logits, targets.clamp(min=0)
                ).sum(-1),
                "The sign is that of a loss.": -logps.sum(-1),
                "You added over the batch instead of over time.": logps.sum(0),
            },
        )
        expect(got.exp().sum()).close(
            torch.tensor(1.0, dtype=torch.float64),
            "The probabilities of all sequences of a model add up to 1.",
        )


@exercise("sequence_logp", weight=1)
def test_ignored_positions_do_not_count(student: Student, draw: Draw):
    """Ignored positions anywhere, NaN logits there, and a row that has no target at all."""
    logits = draw.normal(4, 5, 6)
    targets = draw.integers(0, 6, 4, 5)
    targets[0, :3] = targets[1, 2:] = targets[2, 1] = targets[3] = -100
    want = reference_logps(logits, targets).sum(-1)
    logits[0, 1] = logits[2, 1] = logits[3, 4] = math.nan
    expect(student.sequence_logp(logits, targets)).close(
        want, "Positions with target -100 add exactly 0; a row without any target gives 0."
    )


@exercise("sequence_logp", weight=1)
def test_the_gradient_of_the_sequence(student: Student, draw: Draw):
    """The gradient of a weighted sum over a ragged batch."""
    logits = draw.normal(3, 4, 5)
    targets = draw.integers(0, 5, 3, 4)
    targets[1, 2:] = targets[2, 1:] = -100
    weight = draw.normal(3)
    got = student.grad("sequence_logp", logits, targets, wrt=(0,), cotangent=weight)
    expect(got).true(
        got.requires_grad and got.grads[0] is not None,
        "The result is detached from the logits: training needs its gradient.",
    )
    expect(got.grads[0]).close(
        one_hot_minus_softmax(logits, targets) * weight[:, None, None],
        "At each position that counts, the gradient is the one-hot target minus the softmax, "
        "without division by a length.",
    )


@exercise("sequence_logp", weight=1)
def test_a_long_row_alone_in_its_batch(student: Student, draw: Draw):
    """One row of several hundred tokens, whose probability is too small for a float."""
    logits = draw.normal(1, 900, 5)
    targets = draw.integers(0, 5, 1, 900)
    got = student.sequence_logp(logits, targets)
    expect(got).tensor((1,), torch.float64, "A batch of one row gives a tensor [1], no scalar.")
    expect(got).close(
        reference_logps(logits, targets).sum(-1),
        "Add log-probabilities: the product of many probabilities underflows to 0.",
    )


@exercise("sequence_logp", weight=1)
def test_sequences_keep_the_dtype_of_the_logits(student: Student, draw: Draw):
    """Single precision in, single precision out."""
    logits = draw.normal(3, 4, 5, dtype=torch.float32)
    targets = draw.integers(0, 5, 3, 4)
    targets[1, 2:] = -100
    got = student.sequence_logp(logits, targets)
    expect(got).tensor((3,), torch.float32, "The result keeps the dtype of the logits.")
    expect(got).close(
        reference_logps(logits, targets).sum(-1).float(),
        "The result is the sum over the targets that count, also in single precision.",
    )


# exhaustive_distribution ------------------------------------------------------------------


def tiny_model(draw: Draw, v: int, t_max: int) -> tuple[dict[Word, list[float]], Callable]:
    """A table of conditionals for every prefix, and the step function that reads it."""
    prefixes = [word for n in range(t_max + 2) for word in product(range(v), repeat=n)]
    table = {prefix: draw.probs(v).tolist() for prefix in prefixes}
    return table, lambda prefix: list(table[tuple(prefix)])


def probability(word: Word, table: dict[Word, list[float]]) -> float:
    return math.prod(table[word[:t]][token] for t, token in enumerate(word))


@exercise("exhaustive_distribution", weight=1)
def test_the_sequences_are_exactly_the_complete_ones(student: Student, draw: Draw):
    """The keys, for several vocabulary sizes, lengths and EOS ids."""
    cases = [(2, 4, draw.integer(0, 2)), (3, 3, 1), (4, 2, draw.integer(0, 4))]
    for v, t_max, eos in (*cases, (3, 1, draw.integer(0, 3)), (2, 6, draw.integer(0, 2))):
        table, step_fn = tiny_model(draw, v, t_max)
        got = student.exhaustive_distribution(step_fn, v, t_max, eos)
        expect(got).true(isinstance(got, dict), "Return a dict from sequences to probabilities.")
        words = complete_sequences(v, t_max, eos)
        keys = set(got)
        expect(keys).equals(
            set(words),
            "A sequence ends with its first EOS (which belongs to it), or is cut off at T_max "
            "tokens; keys are tuples of ints.",
            mistakes={
                "You forgot the sequences that are cut off at T_max.": {
                    word for word in words if eos in word
                },
                "You went on after EOS.": set(product(range(v), repeat=t_max)),
                "You left the EOS out of the sequences.": {
                    word[:-1] if eos in word else word for word in words
                },
                "You kept prefixes that are not complete.": set(words)
                | {word[:t] for word in words for t in range(1, len(word))},
            },
        )


@exercise("exhaustive_distribution", weight=2)
def test_a_probability_is_the_product_of_its_conditionals(student: Student, draw: Draw):
    """Every value, for a model whose conditionals differ for every prefix."""
    for v, t_max, eos in ((3, 3, draw.integer(0, 3)), (2, 4, 1)):
        table, step_fn = tiny_model(draw, v, t_max)
        words = complete_sequences(v, t_max, eos)
        want = {word: probability(word, table) for word in words}
        whole = {word: p for word, p in want.items() if eos in word}
        total = sum(whole.values())
        expect(student.exhaustive_distribution(step_fn, v, t_max, eos)).close(
            want,
            "pi(y) is the product over t of pi(y_t | y_<t), each asked with the prefix before it; "
            "nothing is rescaled, and values are floats.",
            mistakes={
                "You left out truncated sequences and rescaled the rest.": {
                    word: p / total for word, p in whole.items()
                },
                "You left out truncated sequences.": whole,
                "You left out the probability of the EOS.": {
                    word: p / table[word[:-1]][eos] if eos in word else p
                    for word, p in want.items()
                },
                "You used the first distribution at every step.": {
                    word: math.prod(table[()][token] for token in word) for word in words
                },
                "You returned log-probabilities.": {word: math.log(p) for word, p in want.items()},
            },
        )
    tiny = float(draw.uniform(1e-6, 9e-6))
    kinds: list[bool] = []

    def rarely_zero(prefix: Word) -> list[float]:
        kinds.append(isinstance(prefix, tuple))
        return [tiny, 0.25, 0.75 - tiny]

    got = student.exhaustive_distribution(rarely_zero, 3, 4, 2)
    expect(got).true(
        isinstance(got, dict) and (0, 0, 0, 0) in got, "A sequence is kept, however rare it is."
    )
    expect(got[(0, 0, 0, 0)]).close(
        tiny**4, "A small probability is kept as it is: no threshold, nothing added."
    )
    expect(kinds).true(
        bool(kinds) and all(kinds), "step_fn takes the prefix as a tuple of ints, not as a list."
    )


@exercise("exhaustive_distribution", weight=1)
def test_the_whole_adds_up_and_starts_like_the_model(student: Student, draw: Draw):
    """The total, and the marginal of the first token; also with a single step."""
    for t_max in (1, 3):
        table, step_fn = tiny_model(draw, 3, t_max)
        got = student.exhaustive_distribution(step_fn, 3, t_max, 2)
        expect(got).true(
            isinstance(got, dict)
            and all(isinstance(word, tuple) and word for word in got)
            and all(isinstance(p, float) for p in got.values()),
            "Return a dict from tuples of ints, none of them empty, to floats.",
        )
        first = [math.fsum(p for word, p in got.items() if word[0] == v) for v in range(3)]
        expect(first).close(
            table[()],
            "The sequences that begin with v have together the probability step_fn(())[v], so the "
            "whole adds up to 1: none may be missing or counted twice.",
        )


# perplexity -------------------------------------------------------------------------------


@exercise("perplexity", weight=2)
def test_perplexity_is_the_exponential_of_the_mean_nll(student: Student, draw: Draw):
    """Uniform models, whose perplexity is the size of their vocabulary, and any other."""
    cases = [(float(draw.uniform(30.0, 90.0)), draw.integer(20, 60))]
    sizes = (2, 17, 50_257, 3_000_000)
    cases += [(n * math.log(v), n) for v in sizes for n in (1, draw.integer(5, 5000))]
    for nll, n in cases:
        mistakes = {
            "You raised 2 to a power in nats: natural logarithms need exp.": 2 ** (nll / n),
            "You flipped the sign: the NLL is positive already.": math.exp(-nll / n),
            "You returned the mean NLL: take its exponential.": nll / n,
        }
        if n > 1 and nll < 600:
            mistakes["You forgot to divide by the number of tokens."] = math.exp(nll)
            mistakes["Divide before the exponential, not after."] = math.exp(nll) / n
            mistakes["You divided by one token too few."] = math.exp(nll / (n - 1))
        expect(student.perplexity(nll, n)).close(
            math.exp(nll / n),
            "Perplexity is exp(nll_sum / num_tokens), a Python float.",
            mistakes=mistakes,
        )
    expect(student.perplexity(0.0, draw.integer(2, 50))).close(
        1.0, "A model that is certain and right has NLL 0 and the perplexity 1, exactly."
    )


@exercise("perplexity", weight=1)
def test_no_token_no_perplexity(student: Student, draw: Draw):
    """No tokens at all, with and without some NLL, and a negative number of tokens."""
    some = float(draw.uniform(1.0, 5.0))
    for nll in (0.0, some):
        expect(student.raised("perplexity", nll, 0)).equals(
            "ValueError", "The perplexity of no token is undefined: raise ValueError."
        )
    expect(student.raised("perplexity", some, -draw.integer(1, 9))).equals(
        "ValueError", "A negative number of tokens is less than 1, too: raise ValueError."
    )


# corpus_perplexity ------------------------------------------------------------------------


@exercise("corpus_perplexity", weight=2)
def test_every_token_counts_the_same(student: Student, draw: Draw):
    """Texts of very different lengths and difficulty."""
    lengths = draw.shuffled([1, 2, 7, 20])
    texts = [
        -draw.uniform(lo, lo + 1.0, n)
        for n, lo in zip(lengths, draw.shuffled([0.1, 1.0, 2.0, 3.5]), strict=True)
    ]
    nlls = [-text.sum().item() for text in texts]
    total, tokens = sum(nlls), sum(lengths)
    each = [nll / n for nll, n in zip(nlls, lengths, strict=True)]
    expect(student.corpus_perplexity(texts)).close(
        math.exp(total / tokens),
        "Perplexity of a corpus is exp(sum of all NLLs / number of all tokens), a Python float.",
        mistakes={
            "You took the mean of the texts' perplexities.": sum(map(math.exp, each)) / 4,
            "You took the mean of the texts' mean NLLs.": math.exp(sum(each) / 4),
            "You weighted perplexities by length; add NLLs first.": sum(
                n * math.exp(x) for n, x in zip(lengths, each, strict=True)
            )
            / tokens,
            "You divided by the number of texts.": math.exp(total / 4),
            "You forgot to divide by the number of tokens.": math.exp(total),
            "You forgot the minus sign.": math.exp(-total / tokens),
            "You raised 2 to a power in nats.": 2 ** (total / tokens),
            "You used the first text only.": math.exp(each[0]),
        },
    )


@exercise("corpus_perplexity", weight=1)
def test_cutting_a_text_in_two_changes_nothing(student: Student, draw: Draw):
    """One long text, and the same tokens as two texts and as single tokens."""
    logps = -draw.uniform(0.1, 4.0, 12)
    cut = draw.integer(1, 6)
    want = math.exp(-logps.sum().item() / 12)
    for texts in ([logps], [logps[:cut], logps[cut:]], list(logps.split(1))):
        expect(student.corpus_perplexity(texts)).close(
            want,
            "Where one text ends and the next begins does not matter: tokens count, not texts.",
        )
    often = -draw.uniform(1.0, 2.0)
    rare = -draw.uniform(4.0, 5.0)
    alike = torch.cat([often.expand(5), rare.expand(1), often.expand(2)])
    expect(student.corpus_perplexity([alike[:3], alike[3:]])).close(
        math.exp(-alike.sum().item() / 8),
        "Tokens with equal log-probabilities all count: repeats are not removed.",
    )
    certain = torch.cat([logps, torch.zeros(draw.integer(3, 9), dtype=torch.float64)])
    expect(student.corpus_perplexity([certain[:7], certain[7:]])).close(
        math.exp(-certain.sum().item() / len(certain)),
        "A token with the log-probability 0 is a token: it counts in the denominator.",
    )
    long = -draw.uniform(0.5, 3.0, 2000)
    expect(student.corpus_perplexity([long])).close(
        math.exp(-long.sum().item() / 2000),
        "Add log-probabilities: the product of many probabilities underflows to 0.",
    )


@exercise("corpus_perplexity", weight=1)
def test_an_empty_corpus_has_no_perplexity(student: Student, draw: Draw):
    """A corpus without any text."""
    expect(student.raised("corpus_perplexity", [])).equals(
        "ValueError", "Without texts there is no token: raise ValueError."
    )

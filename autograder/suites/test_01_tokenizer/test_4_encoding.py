"""Section 4 of 01_tokenizer. From text to ids and back."""

from itertools import pairwise

from autograder.suite import Draw, Student, exercise, expect

from .oracles import (
    BYTE_VOCAB,
    ID,
    Pair,
    ids_of,
    library_encoding,
    library_training,
    merged,
    mixed_text,
)

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
    chain = [ID[ord(letter)] for letter in long]
    pairs = [(chain[0] if k == 0 else 255 + k, right) for k, right in enumerate(chain[1:])]
    expect(student.encode(f"{long} {long}", pairs)).equals(
        [274, ID[ord(" ")], 274],
        "A word may need many merges: go on until no pair of it is left, however often that is.",
    )


def _spelled(merges: list[Pair]) -> dict[int, bytes]:
    vocab = dict(BYTE_VOCAB)
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
        i, j, k, m = (ID[ord(letter)] for letter in (a, b, c, d))
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
    i, j, space, sign, digit = (ID[ord(each)] for each in (a, b, " ", "!", "7"))
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
                ID.get(ord(char), ord(char)) for char in text
            ],
        },
    )
    first, second = (ID[byte] for byte in "é".encode())
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
    expect(student.decode(ids, BYTE_VOCAB)).equals(
        text,
        "Join the bytes of all tokens, then decode once.",
        mistakes={
            "You decoded token by token, which breaks characters of several bytes.": "".join(
                BYTE_VOCAB[i].decode("utf-8", "replace") for i in ids
            ),
            "You decoded as Latin-1.": text.encode().decode("latin-1"),
            "You dropped what a token alone could not decode.": "".join(
                BYTE_VOCAB[i].decode("utf-8", "ignore") for i in ids
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
    turned = {(i + 1) % 256: data for i, data in BYTE_VOCAB.items()}
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

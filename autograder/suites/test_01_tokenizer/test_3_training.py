"""Section 3 of 01_tokenizer. Learning the merges of a corpus."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from autograder.suite import Draw, Student, exercise, expect

from .oracles import (
    BYTE_VOCAB,
    ID,
    Pair,
    Word,
    counted,
    ids_of,
    library_pieces,
    library_training,
    merged,
)

# train_bpe --------------------------------------------------------------------------------


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
        BYTE_VOCAB, "The ids 0 to 255 are the bytes in the order of BYTE_VOCAB, all of them."
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
    first = (ID[ord(a)], ID[ord(b)])
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
    merges = [(ID[ord(word[0])], ID[ord(word[1])]) for word in words]
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
        [(ID[ord(a)], ID[ord(b)])],
        "Stop when no pair is left, however large vocab_size is.",
        mistakes={JOINED: [(ID[ord(a)], ID[ord(b)]), (256, ID[ord(a)])]},
    )
    expect(training(student, [], 300)[1]).equals([], "Without text there is nothing to merge.")

"""Sections 5 and 6 of 05_kv_cache. Bytes of a cache, and slots of its blocks."""

import math

from autograder.suite import Draw, Student, exercise, expect

from .oracles import filled, whole

# --- kv_cache_bytes -----------------------------------------------------------------------


@exercise("kv_cache_bytes", weight=2)
def test_bytes_of_odd_shapes(student: Student, draw: Draw):
    """Shapes of no real model, every factor different, 8 bytes per number."""
    for _ in range(3):
        batch, length, layers, kv_heads, width = draw.sample([3, 5, 7, 11, 13, 17, 19, 23], 5)
        want = 2 * batch * length * layers * kv_heads * width * 8
        got = student.kv_cache_bytes(batch, length, layers, kv_heads, width, 8)
        got = whole(got, "Return a whole number of bytes, an int.")
        expect(got).equals(
            want,
            "2 (keys, values) * batch * seq_len * n_layers * n_kv_heads * head_dim * bytes_per_el.",
            mistakes={
                "Keys and values are two tensors: the factor 2 is missing.": want // 2,
                "The unit is bytes, not bits.": want * 8,
                "Every layer has a cache of its own: n_layers is missing.": want // layers,
                "Every sequence has a cache of its own: batch is missing.": want // batch,
                "Every key-value head has its own keys: n_kv_heads is missing.": want // kv_heads,
                "You assume 2 bytes per number: use bytes_per_el.": want // 4,
                "One vector per position: seq_len enters once, not squared.": want * length,
            },
        )


@exercise("kv_cache_bytes")
def test_published_models(student: Student, draw: Draw):
    """Per token in 16 bits: OPT-13B, Llama-3-8B, Llama-3-70B, Falcon-7B; then a batch."""
    models = {
        (40, 40, 128): 819_200,
        (32, 8, 128): 131_072,
        (80, 8, 128): 327_680,
        (32, 1, 64): 8_192,
    }
    batch, length = draw.integer(2, 9), draw.integer(1000, 9000)
    for shape, per_token in models.items():
        got = [
            student.kv_cache_bytes(1, 1, *shape, 2),
            student.kv_cache_bytes(batch, length, *shape, 2),
            student.kv_cache_bytes(batch, length, *shape, 1),
        ]
        want = [per_token, batch * length * per_token, batch * length * per_token // 2]
        expect(got).equals(
            want,
            "Published shapes with grouped heads: use the key-value heads and the head width that "
            "are given, and assume nothing about the number of query heads or bytes.",
        )


@exercise("kv_cache_bytes")
def test_no_factor_has_a_largest_value(student: Student, draw: Draw):
    """More sequences, positions, layers, heads and width than any model has."""
    shape = [draw.integer(lo, 2 * lo) for lo in (1200, 2_000_000, 130, 130, 520)]
    expect(student.kv_cache_bytes(*shape, 4)).equals(
        2 * math.prod(shape) * 4,
        "Every factor enters as it is given: no longest text, no largest batch, and whole numbers "
        "throughout (a float has 53 bits).",
    )


# --- blocks_needed, wasted_slots ----------------------------------------------------------


@exercise("blocks_needed")
def test_blocks_of_ragged_lengths(student: Student, draw: Draw):
    """Lengths between two multiples of the block size."""
    for bs, rest in draw.shuffled([(3, 1), (5, 4), (7, 2)]):
        length = bs * draw.integer(3, 9) + rest
        got = whole(student.blocks_needed(length, bs), "Return a whole number, an int.")
        expect(got).equals(
            filled(length, bs),
            "A begun block is a whole block: round length / bs up.",
            mistakes={
                "You round down.": length // bs,
                "You return slots, not blocks.": filled(length, bs) * bs,
                "You assume blocks of 16: use bs.": filled(length, 16),
                "You count one block too many.": filled(length, bs) + 1,
            },
        )


@exercise("blocks_needed")
def test_full_blocks_need_no_further_one(student: Student, draw: Draw):
    """Exact multiples, one token more and one less, blocks of one slot."""
    bs, count = draw.integer(3, 20), draw.integer(2, 9)
    for length, size in (
        (bs * count, bs),
        (bs * count + 1, bs),
        (bs * count - 1, bs),
        (count, 1),
        (bs, bs),
        (3 * bs, bs),
    ):
        got = whole(student.blocks_needed(length, size), "Return a whole number, an int.")
        expect(got).equals(
            filled(length, size),
            "The next block is taken with its first token: at an exact multiple of bs the number "
            "is length / bs, one token later one more.",
        )


@exercise("blocks_needed")
def test_an_empty_sequence_holds_no_block(student: Student, draw: Draw):
    """Length 0."""
    got = whole(student.blocks_needed(0, draw.integer(2, 20)), "Return a whole number, an int.")
    expect(got).equals(0, "An empty sequence holds no block.")


def idle(lens: list[int], bs: int) -> int:
    """Idle slots by dealing tokens into slots."""
    return sum(filled(length, bs) * bs - length for length in lens)


@exercise("wasted_slots")
def test_waste_of_one_sequence(student: Student, draw: Draw):
    """One sequence, not a multiple."""
    bs = draw.integer(5, 20)
    length = bs * draw.integer(2, 6) + draw.integer(1, (bs + 1) // 2)
    got = whole(student.wasted_slots([length], bs), "Return a whole number, an int.")
    expect(got).equals(
        bs - length % bs,
        "Idle are the slots of the last block that hold no token: bs - (length mod bs).",
        mistakes={
            "Those are the used slots of the last block.": length % bs,
            "Those are blocks, not slots.": filled(length, bs),
            "Those are all allocated slots, the used ones included.": filled(length, bs) * bs,
        },
    )


@exercise("wasted_slots", weight=2)
def test_waste_of_a_ragged_batch(student: Student, draw: Draw):
    """Several lengths: each sequence wastes its own remainder."""
    bs = draw.integer(6, 14)
    # Remainders that add up to more than a block, two lengths equal; the longest is not the first.
    others = [9 * bs + bs - 1, 3 * bs + 1, 3 * bs + 1]
    lens = [draw.integer(1, 9) * bs + 2, *draw.shuffled(others)]
    got = whole(student.wasted_slots(lens, bs), "Return one whole number, an int.")
    expect(got).equals(
        idle(lens, bs),
        "Add up (-length mod bs) over the sequences; they share no blocks.",
        mistakes={
            "You round up the total: each sequence has a last block of its own.": idle(
                [sum(lens)], bs
            ),
            "You pad to the longest sequence: blocks do away with that.": sum(
                max(lens) - length for length in lens
            ),
            "You pad to the blocks of the longest sequence.": sum(
                filled(max(lens), bs) * bs - length for length in lens
            ),
            "You count the first sequence only.": idle(lens[:1], bs),
            "You count the longest sequence only.": idle([max(lens)], bs),
        },
    )


@exercise("wasted_slots")
def test_full_and_empty_sequences_waste_nothing(student: Student, draw: Draw):
    """Exact multiples, length 0, no sequence."""
    bs = draw.integer(3, 15)
    for lens in ([bs * draw.integer(1, 5)], [0, bs, 0], []):
        got = whole(student.wasted_slots(lens, bs), "Return a whole number, an int.")
        expect(got).equals(
            0,
            "Full blocks have no idle slot, an empty sequence has no block, no sequence no waste.",
        )
    got = whole(student.wasted_slots([0, 1, bs], bs), "Return a whole number, an int.")
    expect(got).equals(bs - 1, "Only the sequence of one token wastes slots here: bs - 1.")

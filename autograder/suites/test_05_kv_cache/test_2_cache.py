"""Section 2 of 05_kv_cache. Appending to the cache."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import parts

# --- append_kv ----------------------------------------------------------------------------


def kv(draw: Draw, t: int, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values of t positions: [B=2, H=3, t, d=5]."""
    return draw.normal(2, 3, t, 5, dtype=dtype), draw.normal(2, 3, t, 5, dtype=dtype)


@exercise("append_kv")
def test_the_first_append_starts_from_none(student: Student, draw: Draw):
    """Several positions appended to cache=None."""
    k, v = kv(draw, 3)
    got = parts(student.append_kv(None, k, v))
    expect(got).close(
        {"k": k, "v": v},
        'With cache=None the new cache is {"k": k, "v": v}: [B, H, t, d], nothing dropped.',
        mistakes={
            "Keys and values are exchanged.": {"k": v, "v": k},
            "The keys are stored twice.": {"k": k, "v": k},
        },
    )


@exercise("append_kv", weight=2)
def test_new_positions_come_behind_the_old_ones(student: Student, draw: Draw):
    """Pieces of 2, 2 and 2 positions, then of 2, 1 and 3 (as many as there are heads)."""
    for lengths in ((2, 2, 2), (2, 1, 3)):
        pieces = [kv(draw, t) for t in lengths]
        cache = None
        for k, v in pieces:
            cache = parts(student.append_kv(cache, k, v))
        keys, values = zip(*pieces, strict=True)
        expect(cache).close(
            {"k": torch.cat(keys, 2), "v": torch.cat(values, 2)},
            "Append along time (axis 2), the oldest position first.",
            mistakes={
                "The new positions overwrite the old ones instead of following them.": {
                    "k": keys[-1],
                    "v": values[-1],
                },
                "The new positions stand in front.": {
                    "k": torch.cat(keys[::-1], 2),
                    "v": torch.cat(values[::-1], 2),
                },
                "Only one of several new positions is kept.": {
                    "k": torch.cat([each[:, :, -1:] for each in keys], 2),
                    "v": torch.cat([each[:, :, -1:] for each in values], 2),
                },
            },
        )


@exercise("append_kv")
def test_two_continuations_may_start_from_one_cache(student: Student, draw: Draw):
    """The same cache, continued twice."""
    start = dict(zip(("k", "v"), kv(draw, 4), strict=True))
    for k, v in (kv(draw, 1), kv(draw, 2)):
        expect(parts(student.append_kv(start, k, v))).close(
            {"k": torch.cat([start["k"], k], 2), "v": torch.cat([start["v"], v], 2)},
            "A continuation must depend on the cache it is given and on nothing else: "
            "keep no state outside of it.",
        )


@exercise("append_kv")
def test_a_long_text_is_kept_whole(student: Student, draw: Draw):
    """5000 cached positions of one narrow head, then 3 more."""
    start = {"k": draw.normal(1, 1, 5000, 2), "v": draw.normal(1, 1, 5000, 2)}
    k, v = draw.normal(1, 1, 3, 2), draw.normal(1, 1, 3, 2)
    expect(parts(student.append_kv(start, k, v))).close(
        {"k": torch.cat([start["k"], k], 2), "v": torch.cat([start["v"], v], 2)},
        "The cache has no largest length: drop no old position, however long the text.",
    )


@exercise("append_kv")
def test_the_dtype_is_kept(student: Student, draw: Draw):
    """float32 and bfloat16 positions behind cached ones."""
    for dtype in (torch.float32, torch.bfloat16):
        k, v = kv(draw, 2, dtype)
        cache = student.append_kv(student.append_kv(None, k, v), v, k)
        expect(parts(cache)).equals(
            {"k": torch.cat([k, v], 2), "v": torch.cat([v, k], 2)},
            "The cache keeps the dtype of k and v: do not convert.",
        )

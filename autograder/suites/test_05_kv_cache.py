"""Hidden suite of 05_kv_cache.

Strategy: cached attention is compared with one full causal forward, computed without any cache by
torch's scaled_dot_product_attention on queries and keys that were rotated as complex numbers, and
with cases whose answer is a plain mean. Counts are compared with an enumeration of every
(step, query, key) and with exact integers of a million steps; factors with a recount. The block
allocator is run against plain Python lists (one list of tokens per sequence) and a mark-and-sweep
count of live blocks, which knows no reference counts.
"""

import math
from fractions import Fraction

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention as sdpa

from autograder.suite import CheckFailed, Draw, Student, exercise, expect

DEPENDS = {
    "cached_attention_step": ["append_kv"],
    "speedup_factor": ["attention_score_count"],
    "wasted_slots": ["blocks_needed"],
    "BlockAllocator": ["blocks_needed"],
}
FORBIDDEN = {
    "cached_attention_step": [
        "torch.nn.functional.scaled_dot_product_attention",
        "torch.nn.MultiheadAttention",
        "transformers",
    ],
}

# --- append_kv ----------------------------------------------------------------------------


def kv(draw: Draw, t: int, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values of t positions: [B=2, H=3, t, d=5]."""
    return draw.normal(2, 3, t, 5, dtype=dtype), draw.normal(2, 3, t, 5, dtype=dtype)


def parts(cache) -> dict[str, torch.Tensor]:
    """The two tensors of a returned cache; further entries are the student's own business."""
    expect(cache).true(
        isinstance(cache, dict) and {"k", "v"} <= set(cache),
        'Return the cache as a dictionary with the entries "k" and "v".',
    )
    return {"k": cache["k"], "v": cache["v"]}


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


# --- cached_attention_step ----------------------------------------------------------------


def weights(draw: Draw, d_model: int, H: int, d: int, n_positions: int) -> dict:
    """Parameters with H * d different from d_model."""
    params = {name: draw.normal(d_model, H * d) / math.sqrt(d_model) for name in ("Wq", "Wk", "Wv")}
    params |= {"Wo": draw.normal(H * d, d_model) / math.sqrt(H * d), "n_heads": H}
    return params | {"rope": turns(n_positions, d)}


def angles(n_positions: int, d: int) -> torch.Tensor:
    """A table of angles [n_positions, d / 2] with another base than the notebook's."""
    frequencies = 500.0 ** (-torch.arange(d // 2, dtype=torch.float64) * 2 / d)
    return torch.arange(n_positions, dtype=torch.float64)[:, None] * frequencies


def turns(n_positions: int, d: int) -> torch.Tensor:
    """The same as rotation matrices [n_positions, d, d] on neighbouring pairs."""
    phi = angles(n_positions, d)
    R = torch.zeros(n_positions, d, d, dtype=torch.float64)
    even = torch.arange(0, d, 2)
    R[:, even, even] = R[:, even + 1, even + 1] = phi.cos()
    R[:, even + 1, even], R[:, even, even + 1] = phi.sin(), -phi.sin()
    return R


def heads(x: torch.Tensor, W: torch.Tensor, H: int) -> torch.Tensor:
    """[B, L, d_model] to [B, H, L, d]."""
    return torch.stack((x @ W).chunk(H, dim=-1), dim=1)


def joined(y: torch.Tensor, p: dict) -> torch.Tensor:
    """[B, H, L, d] joined and through Wo."""
    return torch.cat(list(y.unbind(1)), dim=-1) @ p["Wo"]


def turned(x: torch.Tensor) -> torch.Tensor:
    """x [B, H, L, d] rotated as complex numbers, position 0 first."""
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    phi = angles(x.shape[2], x.shape[3])
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(phi), phi)).flatten(-2)


def full_forward(x: torch.Tensor, p: dict) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Outputs [B, L, d_model] and rotated keys and values, all positions at once."""
    q, k, v = (heads(x, p[name], p["n_heads"]) for name in ("Wq", "Wk", "Wv"))
    q, k = turned(q), turned(k)
    y = sdpa(q, k, v, is_causal=True)
    return joined(y, p), {"k": k, "v": v}


SHAPE = "y_t has the shape and dtype of x_t: [B, t, d_model]."


def step(student: Student, x: torch.Tensor, cache, p: dict) -> tuple:
    """One call; checks that it returns two things."""
    got = student.cached_attention_step(x, cache, p)
    expect(got).true(
        isinstance(got, tuple | list) and len(got) == 2,
        "Return two things: y_t and the new cache.",
    )
    return got


def run(student: Student, x: torch.Tensor, sizes: list[int], p: dict) -> torch.Tensor:
    """Outputs of the pieces, joined."""
    outputs, cache = [], None
    for piece in x.split(sizes, dim=1):
        y, cache = step(student, piece, cache, p)
        outputs.append(y)
        expect(y).tensor(piece.shape, x.dtype, SHAPE)
    return torch.cat(outputs, dim=1)


def last_in_each_piece(y: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    """The rows that a wrong mask cannot spoil."""
    return y[:, np.cumsum(sizes) - 1]


@exercise("cached_attention_step", weight=2)
def test_a_prefill_equals_the_full_forward(student: Student, draw: Draw):
    """Two sequences of 7 tokens at once, 3 heads of width 4, d_model 10, a longer table."""
    p = weights(draw, 10, 3, 4, 11)
    x = draw.normal(2, 7, 10)
    want, cache = full_forward(x, p)
    q, k, v = turned(heads(x, p["Wq"], 3)), cache["k"], cache["v"]
    plain = [heads(x, p[name], 3) for name in ("Wq", "Wk", "Wv")]
    expect(run(student, x, [7], p)).close(
        want,
        "With an empty cache this is ordinary causal attention: rotate q and k, scores / sqrt(d), "
        "mask, softmax, values, heads side by side, Wo.",
        mistakes={
            "The causal mask is missing: some tokens see the future.": joined(sdpa(q, k, v), p),
            "The division by sqrt(d) is missing.": joined(
                sdpa(q, k, v, is_causal=True, scale=1.0), p
            ),
            "Divide by sqrt(d) of one head, not of d_model.": joined(
                sdpa(q, k, v, is_causal=True, scale=1 / math.sqrt(10)), p
            ),
            "Queries and keys are not rotated.": joined(sdpa(*plain, is_causal=True), p),
        },
    )


@exercise("cached_attention_step", weight=2)
def test_a_prefill_and_single_tokens_equal_the_full_forward(student: Student, draw: Draw):
    """14 tokens at once, then 4 one by one."""
    sizes = [14, 1, 1, 1, 1]
    p = weights(draw, 10, 2, 6, 18)
    x = draw.normal(3, 18, 10)
    want, cache = full_forward(x, p)
    got = run(student, x, sizes, p)
    restarted = restarted_positions(x, sizes, p)
    alone = torch.cat([want[:, :14], joined(cache["v"][:, :, 14:], p)], dim=1)
    expect(got).close(
        want,
        "Decoding with the cache must give the rows of the full forward: attend to all cached "
        "positions and to the token itself.",
        mistakes={
            "The rotation starts again at position 0 in every call: new tokens stand at T, T + 1, "
            "..., where T is the length of the cache.": restarted,
            "Each new token sees only itself: the cache is not used or overwritten.": alone,
        },
    )


def restarted_positions(x: torch.Tensor, sizes: list[int], p: dict) -> torch.Tensor:
    """Outputs if every piece is rotated as if it began at position 0."""
    pieces = x.split(sizes, dim=1)
    q = torch.cat([turned(heads(piece, p["Wq"], p["n_heads"])) for piece in pieces], dim=2)
    k = torch.cat([turned(heads(piece, p["Wk"], p["n_heads"])) for piece in pieces], dim=2)
    v = heads(x, p["Wv"], p["n_heads"])
    y = sdpa(q, k, v, is_causal=True)
    return joined(y, p)


@exercise("cached_attention_step", weight=2)
def test_several_new_tokens_behind_cached_ones(student: Student, draw: Draw):
    """Pieces of 3, 4, 1 and 2 tokens: the mask is a rectangle."""
    sizes = [3, 4, 1, 2]
    p = weights(draw, 7, 2, 4, 10)
    x = draw.normal(2, 10, 7)
    want, _ = full_forward(x, p)
    got = run(student, x, sizes, p)
    expect(last_in_each_piece(got, sizes)).close(
        last_in_each_piece(want, sizes),
        "The last of several new tokens sees everything: all cached positions and all new ones, "
        "each at its absolute position.",
    )
    expect(got).close(
        want,
        "The mask has t rows and T + t columns; new token i sees the columns j <= T + i. A square "
        "triangle in the corner of the rectangle, or none, is wrong.",
    )


@exercise("cached_attention_step")
def test_the_returned_cache_holds_rotated_keys_and_plain_values(student: Student, draw: Draw):
    """The cache after 3 and 2 tokens."""
    p = weights(draw, 7, 3, 4, 5)
    x = draw.normal(2, 5, 7)
    _, want = full_forward(x, p)
    _, cache = step(student, x[:, :3], None, p)
    _, cache = step(student, x[:, 3:], cache, p)
    plain = heads(x, p["Wk"], 3)
    expect(parts(cache)).close(
        want,
        "The cache holds keys after their rotation and values without one, [B, H, T + t, d].",
        mistakes={
            "The keys are cached before the rotation.": {"k": plain, "v": want["v"]},
            "The values are rotated, too.": {"k": want["k"], "v": turned(want["v"])},
        },
    )


@exercise("cached_attention_step")
def test_a_cache_from_elsewhere_is_used(student: Student, draw: Draw):
    """All scores equal: the output is the mean of 6, or 1200, cached values and the new one."""
    for T in (6, 1200):
        p = weights(draw, 5, 2, 4, T + 3)
        p["Wk"] = torch.zeros_like(p["Wk"])
        cache = {"k": torch.zeros(2, 2, T, 4, dtype=torch.float64), "v": draw.normal(2, 2, T, 4)}
        check_mean(student, draw.normal(2, 1, 5), cache, p)


def check_mean(student: Student, x: torch.Tensor, cache: dict, p: dict) -> None:
    """One new token whose scores are all equal."""
    y, _ = step(student, x, cache, p)
    own = heads(x, p["Wv"], 2)
    everything = torch.cat([cache["v"], own], dim=2)
    expect(y).close(
        joined(everything.mean(2, keepdim=True), p),
        "With equal scores every visible position has the same weight: T cached ones and the new "
        "token itself, T + 1 in all.",
        mistakes={
            "The new token does not see itself.": joined(cache["v"].mean(2, keepdim=True), p),
            "The new token sees only itself.": joined(own, p),
        },
    )


@exercise("cached_attention_step")
def test_two_texts_decoded_in_turn_do_not_mix(student: Student, draw: Draw):
    """Texts of 4 + 1 + 2 and 2 + 3 + 1 tokens, one call each in turn."""
    p = weights(draw, 6, 2, 4, 9)
    texts, sizes = (draw.normal(1, 7, 6), draw.normal(1, 6, 6)), ((4, 1, 2), (2, 3, 1))
    pieces = [text.split(size, dim=1) for text, size in zip(texts, sizes, strict=True)]
    outputs, caches = ([], []), [None, None]
    for turn in range(3):
        for i in (0, 1):
            y, caches[i] = step(student, pieces[i][turn], caches[i], p)
            expect(y).tensor(pieces[i][turn].shape, torch.float64, SHAPE)
            outputs[i].append(y)
    for text, got in zip(texts, outputs, strict=True):
        expect(torch.cat(got, dim=1)).close(
            full_forward(text, p)[0],
            "A server decodes many texts in turn: positions come from the cache that is passed "
            "in, never from a counter or a cache kept between calls.",
        )


@exercise("cached_attention_step")
def test_large_scores_neither_overflow_nor_leak(student: Student, draw: Draw):
    """Tokens of norm about 100: scores of some thousands; 4 tokens, then 3."""
    p = weights(draw, 6, 2, 4, 7)
    x = 50 * draw.normal(2, 7, 6)
    want, _ = full_forward(x, p)
    expect(run(student, x, [4, 3], p)).close(
        want,
        "With scores of some thousands exp overflows unless the largest is subtracted first "
        "(torch.softmax does it), and a masked score must be -inf, not just somewhat small.",
    )


@exercise("cached_attention_step")
def test_float32_stays_float32(student: Student, draw: Draw):
    """Weights, table and tokens in float32, 4 tokens and 1."""
    p64 = weights(draw, 6, 2, 4, 5)
    x = draw.normal(2, 5, 6)
    want, _ = full_forward(x, p64)
    p = {name: each.float() if name != "n_heads" else each for name, each in p64.items()}
    got = run(student, x.float(), [4, 1], p)
    expect(got).close(
        want.float(),
        "In float32 the same outputs up to rounding: convert nothing to a fixed dtype.",
        rtol=1e-4,
    )


# --- attention_score_count ----------------------------------------------------------------


def enumerated(T: int, use_cache: bool, causal: bool) -> int:
    """Every (step, query, key) that is computed, one by one."""
    entries = 0
    for t in range(T):
        for i in range(t + 1):
            for j in range(t + 1):
                entries += (i == t or not use_cache) and (j <= i or not causal)
    return entries


def whole(value, message: str) -> int:
    """An int (numpy's count, bool does not)."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool | np.bool_)
    expect(value).true(whole, message)
    return int(value)


INT = "Return an exact whole number, an int: divide with //, and nothing passes through a float."


@exercise("attention_score_count")
def test_full_squares_without_a_cache(student: Student, draw: Draw):
    """No cache, full squares, short texts."""
    for T in [1, *draw.sample(range(5, 25), 3)]:
        got = whole(student.attention_score_count(T, False), INT)
        expect(got).equals(
            enumerated(T, False, False),
            "Step t computes t x t scores; add up t = 1, ..., T.",
            mistakes={
                "That is one step, the last.": T * T,
                "That is the causal half.": enumerated(T, False, True),
                "Your sum stops one step early.": enumerated(T - 1, False, False),
                "That includes the projections.": enumerated(T, False, False) + T * (T + 1) // 2,
            },
        )


@exercise("attention_score_count")
def test_causal_halves_without_a_cache(student: Student, draw: Draw):
    """No cache, only key <= query."""
    for T in [1, *draw.sample(range(5, 25), 3)]:
        full = enumerated(T, False, False)
        got = whole(student.attention_score_count(T, False, True), INT)
        expect(got).equals(
            enumerated(T, False, True),
            "With causal_only step t computes 1 + 2 + ... + t scores, the diagonal included.",
            mistakes={
                "causal_only makes no difference in your count.": full,
                "That is half of the full squares: the diagonal is in the causal half.": full // 2,
                "A query also sees its own key: the diagonal counts.": enumerated(
                    T - 1, False, True
                ),
                "That is the last step only.": T * (T + 1) // 2,
            },
        )


@exercise("attention_score_count")
def test_one_row_per_step_with_the_cache(student: Student, draw: Draw):
    """With cache, both values of causal_only."""
    for T in [1, *draw.sample(range(5, 25), 3)]:
        for causal in (False, True):
            got = whole(student.attention_score_count(T, True, causal_only=causal), INT)
            expect(got).equals(
                enumerated(T, True, causal),
                "With the cache step t computes one row of t scores (itself included), whether "
                "or not causal_only is set.",
                mistakes={
                    "You count one score per step.": T,
                    "The new token also attends to itself: t scores, not t - 1.": T * (T - 1) // 2,
                    "That is a full square.": T * T,
                },
            )


@exercise("attention_score_count")
def test_hundreds_of_thousands_of_steps_are_exact(student: Student, draw: Draw):
    """A long text: every digit counts."""
    T = 4 * draw.integer(100_000, 125_000) + 1  # odd totals above 2**53: no float holds them
    squares = T * (T + 1) * (2 * T + 1) // 6
    pairs = T * (T + 1) // 2
    got = [
        student.attention_score_count(T, False),
        student.attention_score_count(T, False, True),
        student.attention_score_count(T, True),
    ]
    got = [whole(each, INT) for each in got]
    expect(got).equals([squares, (squares + pairs) // 2, pairs], "Every digit counts. " + INT)


# --- speedup_factor -----------------------------------------------------------------------


def number(value) -> float:
    """A float or Fraction as a float."""
    kinds = int | float | Fraction | np.number
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise CheckFailed("Return a float or a Fraction.")
    return float(value)


def ratio(T: int, without, cached) -> float:
    """Sum over the steps without the cache by the sum with it."""
    steps = range(1, T + 1)
    return sum(map(without, steps)) / sum(map(cached, steps))


LAST_STEP = "That is the gain of the last step (the slide's L); earlier steps gain less."
INVERSE = "Divide the cost without the cache by the cost with it, not the other way round."
ROUNDED = "The factor is not a whole number: do not round."


def sizes(draw: Draw) -> list[int]:
    """Lengths for which none of the three factors is whole."""
    return draw.sample(range(8, 200, 6), 3)


@exercise("speedup_factor")
def test_factor_of_full_squares(student: Student, draw: Draw):
    """kind="scores_full", recounted."""
    for T in sizes(draw):
        want = ratio(T, lambda t: t * t, lambda t: t)
        expect(number(student.speedup_factor(T, "scores_full"))).close(
            want,
            "Full squares: the sum of t * t divided by the sum of t, t = 1, ..., T.",
            mistakes={
                LAST_STEP: float(T),
                INVERSE: 1 / want,
                ROUNDED: float(math.floor(want)),
                "2T/3 is only the limit for long texts.": 2 * T / 3,
                "That is the mean of the gains of the steps; divide the totals.": (T + 1) / 2,
                "That is the factor of the causal halves.": (T + 2) / 3,
            },
        )


@exercise("speedup_factor")
def test_factor_of_causal_halves(student: Student, draw: Draw):
    """kind="scores_causal", recounted."""
    for T in sizes(draw):
        want = ratio(T, lambda t: t * (t + 1) / 2, lambda t: t)
        expect(number(student.speedup_factor(T, "scores_causal"))).close(
            want,
            "Causal halves: the sum of 1 + ... + t divided by the sum of t, t = 1, ..., T.",
            mistakes={
                LAST_STEP: float(T),
                INVERSE: 1 / want,
                ROUNDED: float(math.floor(want)),
                "T/3 is only the limit for long texts.": T / 3,
                "The causal half has t(t+1)/2 entries, more than half of the square.": (2 * T + 1)
                / 6,
                "The cached row has no future in it: do not halve it.": (2 * T + 1) / 3,
            },
        )


@exercise("speedup_factor")
def test_factor_of_projections(student: Student, draw: Draw):
    """kind="projections", recounted."""
    for T in sizes(draw):
        want = ratio(T, lambda t: t, lambda t: 1)
        expect(number(student.speedup_factor(T, "projections"))).close(
            want,
            "Projections: step t sends t tokens through the layers without the cache, 1 with it.",
            mistakes={
                LAST_STEP: float(T),
                INVERSE: 1 / want,
                "T/2 is only the limit for long texts (or rounded down).": T / 2,
                "Projections are counted per token, not per score.": (2 * T + 1) / 3,
            },
        )


@exercise("speedup_factor")
def test_one_step_gains_nothing(student: Student, draw: Draw):
    """T=1, all kinds."""
    for kind in ("scores_full", "scores_causal", "projections"):
        expect(number(student.speedup_factor(1, kind))).close(
            1.0, "A single step has nothing to reuse: at T = 1 the factor is exactly 1."
        )


@exercise("speedup_factor")
def test_unknown_kinds_are_refused(student: Student, draw: Draw):
    """A kind that is not in the list."""
    for kind in ("training", "scores", "", "scores_full_causal", "projection"):
        raised = student.raised("speedup_factor", draw.integer(5, 50), kind)
        expect(raised).equals("ValueError", "An unknown kind raises ValueError.")


# --- kv_cache_bytes -----------------------------------------------------------------------

ARGUMENTS = ("batch", "seq_len", "n_layers", "n_kv_heads", "head_dim", "bytes_per_el")


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


def filled(length: int, bs: int) -> int:
    """Blocks taken when tokens are dealt into slots one by one."""
    blocks, room = 0, 0
    for _ in range(length):
        if room == 0:
            blocks, room = blocks + 1, bs
        room -= 1
    return blocks


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


# --- BlockAllocator -----------------------------------------------------------------------


class Model:
    """Sequences as lists of (block object, tokens): which blocks live is found by sweeping."""

    def __init__(self, bs: int) -> None:
        self.bs = bs
        self.tokens: dict[int, list] = {}
        self.blocks: dict[int, list[object]] = {}

    def live(self) -> int:
        """Blocks that some sequence can reach."""
        return len({id(block) for table in self.blocks.values() for block in table})

    def shared(self, seq: int) -> bool:
        """Whether the last block is in another sequence's table, too."""
        last = self.blocks[seq][-1]
        return sum(block is last for table in self.blocks.values() for block in table) > 1

    def needs_block(self, seq: int) -> bool:
        return len(self.tokens[seq]) % self.bs == 0 or self.shared(seq)

    def allocate(self, seq: int, tokens: list) -> None:
        self.tokens[seq] = list(tokens)
        self.blocks[seq] = [object() for _ in range(filled(len(tokens), self.bs))]

    def fork(self, seq: int, new: int) -> None:
        self.tokens[new], self.blocks[new] = list(self.tokens[seq]), list(self.blocks[seq])

    def append(self, seq: int, token) -> None:
        if len(self.tokens[seq]) % self.bs == 0:
            self.blocks[seq].append(object())
        elif self.shared(seq):
            self.blocks[seq][-1] = object()
        self.tokens[seq].append(token)

    def free(self, seq: int) -> None:
        del self.tokens[seq], self.blocks[seq]


def start(student: Student, draw: Draw, length_mod: int | None = None):
    """A pool with one sequence: (pool, its id, tokens, block size, blocks in the pool)."""
    bs, n = draw.integer(4, 7), draw.integer(12, 17)
    rest = draw.integer(1, bs - 1) if length_mod is None else length_mod
    tokens = draw.integers(0, 1000, 2 * bs + rest).tolist()
    pool = student.new("BlockAllocator", n, bs)
    return pool, new_id(pool.allocate(tokens)), tokens, bs, n


def new_id(value) -> int:
    """The id that allocate or fork returned."""
    return whole(value, "allocate and fork return the id of the new sequence, an int.")


def table_of(pool, seq: int) -> list[int]:
    """A sequence's block table."""
    blocks = pool.table(seq)
    expect(blocks).true(isinstance(blocks, list), "table returns a list of block ids.")
    return [whole(block, "Block ids are whole numbers.") for block in blocks]


USED_BEFORE = "Every new sequence, a fork included, gets an id that was not used before."


def reads(pool, seq: int, want: list, message: str) -> None:
    """What a sequence reads through its table."""
    expect(pool.read(seq)).equals(want, message)


@exercise("BlockAllocator")
def test_allocate_takes_just_the_blocks_it_needs(student: Student, draw: Draw):
    """Prompts of 0 tokens, an exact multiple, and between."""
    bs, n = draw.integer(3, 8), 20
    pool = student.new("BlockAllocator", n, bs)
    used, ids, blocks = 0, [], []
    for length in (2 * bs + 1, 0, 2 * bs, bs - 1):
        tokens = draw.integers(0, 1000, length).tolist()
        seq = new_id(pool.allocate(tokens))
        reads(pool, seq, tokens, "After allocate(tokens) the sequence reads exactly these tokens.")
        used += filled(length, bs)
        expect(pool.n_free()).equals(
            n - used,
            "allocate takes blocks_needed(len(tokens), block_size) blocks: none for an empty "
            "prompt, no spare one at an exact multiple.",
        )
        ids, blocks = [*ids, seq], blocks + table_of(pool, seq)
    expect(ids).true(len(set(ids)) == 4, USED_BEFORE)
    expect(blocks).true(
        len(set(blocks)) == len(blocks) and set(blocks) <= set(range(n)),
        "Sequences that were not forked have no block in common.",
    )
    for old in (max(ids), ids[1]):
        pool.free(old)
        new = new_id(pool.allocate([]))
        expect(new in ids).equals(False, USED_BEFORE)
        ids.append(new)


@exercise("BlockAllocator")
def test_append_fills_the_last_block_before_the_next(student: Student, draw: Draw):
    """From empty, token by token, over two block edges."""
    bs = draw.integer(3, 6)
    pool = student.new("BlockAllocator", 9, bs)
    seq, tokens = new_id(pool.allocate([])), draw.integers(0, 1000, 2 * bs + 1).tolist()
    for count, token in enumerate(tokens, start=1):
        pool.append(seq, token)
        expect(pool.n_free()).equals(
            9 - filled(count, bs),
            "append takes a block when the last one is full (or there is none), and only then.",
        )
    reads(pool, seq, tokens, "Appended tokens are read in the order in which they came.")


@exercise("BlockAllocator")
def test_two_allocators_have_nothing_in_common(student: Student, draw: Draw):
    """Two pools of different sizes, used in turn."""
    small, large = (student.new("BlockAllocator", n, bs) for n, bs in ((3, 2), (8, 4)))
    first, second = draw.integers(0, 1000, 4).tolist(), draw.integers(0, 1000, 9).tolist()
    message = "Every allocator has blocks, tables and counts of its own: set them on self."
    a = new_id(small.allocate(first))
    expect([small.n_free(), large.n_free()]).equals([1, 8], message)
    b = new_id(large.allocate(second))
    small.append(a, 7)
    expect([small.n_free(), large.n_free()]).equals([0, 5], message)
    reads(small, a, [*first, 7], message)
    reads(large, b, second, message)
    small.free(a)
    expect([small.n_free(), large.n_free()]).equals([3, 5], message)
    reads(large, b, second, message)


@exercise("BlockAllocator")
def test_blocks_of_one_slot_and_tokens_that_are_zero(student: Student, draw: Draw):
    """Blocks of one slot that were in use before; every second token is 0."""
    n = draw.integer(6, 12)
    pool = student.new("BlockAllocator", n, 1)
    pool.free(new_id(pool.allocate(draw.integers(1, 1000, n).tolist())))
    seq, tokens = new_id(pool.allocate([])), draw.integers(1, 1000, 4).tolist()
    tokens[1] = tokens[3] = 0
    for token in tokens:
        pool.append(seq, token)
    message = "With one slot per block every token opens a block; 0 is a token."
    expect(pool.n_free()).equals(n - 4, message)
    reads(pool, seq, tokens, message)


@exercise("BlockAllocator")
def test_a_fork_shares_all_blocks_and_copies_none(student: Student, draw: Draw):
    """Fork, and a fork of the fork."""
    pool, a, tokens, _, _ = start(student, draw)
    free = pool.n_free()
    b = new_id(pool.fork(a))
    c = new_id(pool.fork(b))
    expect(pool.n_free()).equals(free, "A fork copies nothing and takes no block: tables only.")
    expect(len({a, b, c})).equals(3, USED_BEFORE)
    for seq in (b, c):
        expect(table_of(pool, seq)).equals(
            table_of(pool, a), "A fork's table lists the same blocks."
        )
        reads(pool, seq, tokens, "A fork reads the same tokens.")
    counts = [pool.ref_count(block) for block in table_of(pool, a)]
    expect(counts).equals(
        [3] * len(counts), "The reference count of a block is the number of tables it is in."
    )
    pool.free(b)
    expect(new_id(pool.fork(a)) in (a, b, c)).equals(False, USED_BEFORE)


@exercise("BlockAllocator", weight=2)
def test_append_copies_a_shared_last_block(student: Student, draw: Draw):
    """Three sequences share a half full last block; the parent or a fork appends."""
    for writer in range(3):
        pool, a, tokens, _, _ = start(student, draw)
        family = [a, new_id(pool.fork(a)), new_id(pool.fork(a))]
        before, free = table_of(pool, a), pool.n_free()
        pool.append(family[writer], -1)
        expect(table_of(pool, family[writer])[-1:] == before[-1:]).equals(
            False,
            "A shared block is copied before it is written to, whoever writes, the parent or a "
            "fork: the writer's table ends with the copy.",
        )
        for seq in family[:writer] + family[writer + 1 :]:
            expect(table_of(pool, seq)).equals(
                before, "An append changes no other sequence's table."
            )
            reads(pool, seq, tokens, "An append to one sequence changed what another one reads.")
        reads(
            pool,
            family[writer],
            [*tokens, -1],
            "After the copy the sequence reads its old tokens and the new one.",
        )
        after = table_of(pool, family[writer])
        expect(after[:-1]).equals(before[:-1], "Full blocks stay shared and keep their place.")
        expect(pool.n_free()).equals(
            free - 1,
            "Copy-on-write takes one block: only the last one is copied, full ones stay shared.",
        )
        counts = [pool.ref_count(block) for block in [*before, *after[-1:]]]
        expect(counts).equals(
            [3] * (len(before) - 1) + [2, 1],
            "After the copy the old block has one owner less, the new block has one, and full "
            "blocks still have all three.",
        )


@exercise("BlockAllocator")
def test_the_last_owner_writes_in_place(student: Student, draw: Draw):
    """Two sequences share; after one has copied or is gone, the other owns the block."""
    for parted in ("append", "free"):
        pool, a, tokens, _, _ = start(student, draw)
        b = new_id(pool.fork(a))
        pool.append(b, -1) if parted == "append" else pool.free(b)
        table, free = table_of(pool, a), pool.n_free()
        pool.append(a, -2)
        expect((pool.n_free(), table_of(pool, a))).equals(
            (free, table), "A block with a single owner is written in place: no copy, no new block."
        )
        reads(pool, a, [*tokens, -2], "A token written in place follows the others.")
        if parted == "append":
            reads(pool, b, [*tokens, -1], "Each of the two sequences keeps its own last token.")


@exercise("BlockAllocator")
def test_a_full_shared_block_is_never_copied(student: Student, draw: Draw):
    """A fork at an exact multiple of the block size."""
    pool, a, tokens, _, _ = start(student, draw, length_mod=0)
    b = new_id(pool.fork(a))
    table, free = table_of(pool, a), pool.n_free()
    pool.append(b, -1)
    pool.append(a, -2)
    tables = table_of(pool, a), table_of(pool, b)
    expect((tables[0][:-1], tables[1][:-1])).equals(
        (table, table),
        "A full block is never written again, so it stays shared: the token opens a new block.",
    )
    expect(pool.n_free()).equals(free - 2, "Each of the two sequences takes one new block.")
    reads(pool, a, [*tokens, -2], "The two sequences differ in their last token.")
    reads(pool, b, [*tokens, -1], "The two sequences differ in their last token.")


@exercise("BlockAllocator", weight=2)
def test_free_keeps_what_others_share(student: Student, draw: Draw):
    """The parent is freed, its fork stays; the pool is then filled up."""
    pool, a, tokens, bs, n = start(student, draw)
    b = new_id(pool.fork(a))
    shared = table_of(pool, a)
    pool.append(a, -1)
    pool.free(a)
    expect(pool.n_free()).equals(
        n - len(shared),
        "free gives back the blocks that nobody else holds, and no shared one.",
    )
    others = [new_id(pool.allocate([-5] * bs)) for _ in range(n - len(shared))]
    expect(pool.n_free()).equals(0, "Blocks that were given back can be allocated again.")
    reads(pool, b, tokens, "A block that was still shared has been freed and overwritten.")
    for seq in [b, *others]:
        pool.free(seq)
    expect(pool.n_free()).equals(n, "When all sequences are freed, all blocks are free.")
    expect([pool.ref_count(block) for block in range(n)]).equals(
        [0] * n, "A free block has the reference count 0."
    )


@exercise("BlockAllocator")
def test_a_full_pool_raises_and_nothing_changes(student: Student, draw: Draw):
    """allocate, append to a full block, and copy-on-write, with too few free blocks."""
    bs = draw.integer(4, 7)
    pool = student.new("BlockAllocator", 4, bs)
    half, full = list(range(bs + 2)), list(range(bs))
    a = new_id(pool.allocate(half))
    raised = pool.raised("allocate", [0] * (2 * bs + 1))
    expect(raised).equals("MemoryError", "allocate raises MemoryError if there are too few blocks.")
    expect(pool.n_free()).equals(
        2, "A failed allocate takes nothing: count the blocks before you take the first."
    )
    b = new_id(pool.allocate(full))
    c = new_id(pool.allocate(full))
    d = new_id(pool.fork(a))
    tables = [table_of(pool, seq) for seq in (a, b, c, d)]
    counts = [pool.ref_count(block) for block in range(4)]
    for seq in (b, d):
        expect(pool.raised("append", seq, -1)).equals(
            "MemoryError", "append raises MemoryError if it needs a block and none is free."
        )
    after = [table_of(pool, seq) for seq in (a, b, c, d)], [pool.ref_count(i) for i in range(4)]
    expect(after).equals(
        (tables, counts),
        "A failed append changes nothing: take the new block before you let go of the old one.",
    )
    for seq, want in ((a, half), (b, full), (c, full), (d, half)):
        message = "A failed append leaves all tokens and lengths as they were."
        expect(pool.raised("read", seq)).equals(None, message)
        reads(pool, seq, want, message)
    pool.free(c)
    pool.append(d, -1)
    reads(pool, d, [*half, -1], "When a block is free again, the append succeeds.")


@exercise("BlockAllocator", weight=0.5)
def test_unknown_and_freed_sequences_raise_key_errors(student: Student, draw: Draw):
    """Every method on a freed id, and on one that never was."""
    pool, a, _, _, n = start(student, draw)
    b = new_id(pool.fork(a))
    pool.free(a)
    free = pool.n_free()
    for seq in (a, 10_000):
        raised = [pool.raised("append", seq, 1), pool.raised("fork", seq), pool.raised("free", seq)]
        expect(raised).equals(["KeyError"] * 3, "An unknown or freed sequence raises KeyError.")
    expect(pool.n_free()).equals(free, "Freeing a sequence twice must not give blocks back twice.")
    pool.free(b)
    expect(pool.n_free()).equals(n, "After the last free all blocks are free, none of them twice.")


@exercise("BlockAllocator", weight=2)
def test_a_long_random_story_keeps_every_sequence_intact(student: Student, draw: Draw):
    """A few chosen operations, then 120 random ones, against plain lists."""
    bs, n = 7, 24
    pool, truth = student.new("BlockAllocator", n, bs), Model(bs)
    _act(pool, truth, "allocate", 0, list(range(bs + 2)))
    for action, index in (("fork", 0), ("fork", 1), ("append", 0), ("append", 1)):
        _act(pool, truth, action, index, [])
    _act(pool, truth, "allocate", 0, list(range(2 * bs)))
    for action, index in (("fork", 3), ("append", 4), ("append", 3), ("allocate", 0)):
        _act(pool, truth, action, index, [])
    _compare(pool, truth, n)
    for turn in range(120):
        action = draw.choice(["allocate", "fork", "fork", "append", "append", "append", "free"])
        index = draw.integer(0, len(truth.tokens))
        seq = list(truth.tokens)[index]
        full = truth.needs_block(seq) and truth.live() == n
        if action == "allocate" and truth.live() >= n - 3 or action == "append" and full:
            continue
        if action == "fork" and len(truth.tokens) > 6 or action == "free" and len(truth.tokens) < 4:
            continue
        tokens = [turn * 10 + i for i in range(draw.integer(1, 20))]
        _act(pool, truth, action, index, tokens)
        if turn % 10 == 9:
            _compare(pool, truth, n)
    _compare(pool, truth, n)


def _act(pool, truth: Model, action: str, index: int, tokens: list) -> None:
    """One operation on the pool and on the lists, on the sequence that is `index` oldest."""
    seq = list(truth.tokens)[index] if truth.tokens else None
    if action in ("allocate", "fork"):
        new = new_id(pool.allocate(tokens) if action == "allocate" else pool.fork(seq))
        expect(new in truth.tokens).equals(False, USED_BEFORE)
    if action == "allocate":
        truth.allocate(new, tokens)
    elif action == "fork":
        truth.fork(seq, new)
    elif action == "append":
        token = len(truth.tokens[seq]) * 1000 + index
        pool.append(seq, token)
        truth.append(seq, token)
    else:
        pool.free(seq)
        truth.free(seq)


def _compare(pool, truth: Model, n: int) -> None:
    """All contents and counts of a pool."""
    tables = {seq: table_of(pool, seq) for seq in truth.tokens}
    for seq, tokens in truth.tokens.items():
        reads(
            pool, seq, tokens, "After many operations a sequence reads other tokens than its own."
        )
    expect(pool.n_free()).equals(
        n - truth.live(),
        "Free blocks and blocks that some sequence holds must add up to the whole pool.",
    )
    counts = [pool.ref_count(block) for block in range(n)]
    want = [sum(block in table for table in tables.values()) for block in range(n)]
    expect(counts).equals(want, "The reference count of a block is the number of tables it is in.")

"""Section 3 of 05_kv_cache. A step of attention with the cache."""

import math

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention as sdpa

from autograder.suite import Draw, Student, exercise, expect

from .oracles import parts

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

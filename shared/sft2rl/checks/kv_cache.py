"""Visible checks of 05 · KV cache: hand-made numbers and properties."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import torch

from sft2rl.checks import close, equal, fail, passed, raises, visible_check


@visible_check
def append_kv(fn: Callable[..., Any]) -> None:
    """Empty, one, several new positions; the old cache stays."""
    k = torch.arange(24.0).reshape(2, 3, 2, 2)  # [B=2, H=3, t=2, d=2]
    first = fn(None, k, -k)
    _is_cache(first, "the first append, to cache=None")
    close(first["k"], k, "keys after the first append")
    close(first["v"], -k, "values after the first append", mistakes={"store k under v": k})

    one = torch.full((2, 3, 1, 2), 50.0)
    before = {name: each.clone() for name, each in first.items()}
    second = fn(first, one, one + 1)
    _is_cache(second, "the second append")
    if second is first or not _same(first, before):
        fail("Your function changed the cache it was given: build a new dictionary instead.")
    if second["k"].shape == one.shape:
        fail("After the second append only the new keys are left: append them, do not overwrite.")
    close(second["k"][:, :, :2], k, "the old keys, in front")
    close(second["k"][:, :, 2:], one, "the new keys, behind the old ones")
    close(second["v"][:, :, 2:], one + 1, "the new values, behind the old ones")
    third = fn(second, k.flip(2), k)
    close(third["k"][:, :, 3:], k.flip(2), "several new keys at once, in the order given")
    equal(tuple(third["v"].shape), (2, 3, 5, 2), "shape [B, H, T, d] after 2 + 1 + 2 positions")
    half = fn(None, k.bfloat16(), k.bfloat16())
    equal(half["v"].dtype, torch.bfloat16, "a bfloat16 cache stays bfloat16: dtype")
    passed("append_kv")


@visible_check
def cached_attention_step(fn: Callable[..., Any]) -> None:
    """Two sequences and two heads whose outputs can be computed by hand."""
    x, want, params = _quarter_turns()
    unturned, future = want.clone(), want.clone()
    unturned[..., 2] = torch.tensor([[21, 10.5, 21, 31.5], [42, 31.5, 70 / 3, 18.5]])
    future[..., 1] = torch.tensor([[5.0], [4.0]])
    future[..., 2] = torch.tensor([[28, 21, 35, 42], [25, 62 / 3, 40 / 3, 15]])

    y, cache = _step(fn, x, None, params, "prefill of 4 tokens")
    close(
        y,
        want,
        "prefill of 4 tokens, coordinates (0, running mean, worked example)",
        mistakes={
            "leave out the causal mask": future,
            "leave out the rotation": unturned,
        },
    )
    _is_cache(cache, "the cache after the prefill")
    equal(tuple(cache["k"].shape), (2, 2, 4, 2), "shape of the cached keys [B, H, T, d]")
    close(cache["v"][0, 0, :, 0], x[0, :, 2], "cached values: not rotated")
    close(
        cache["k"][0, 0, 1] / cache["k"][0, 0, 0].norm(),
        torch.tensor([0.0, 1.0], dtype=torch.float64),
        "direction of the key cached at position 1 (a quarter turn)",
        mistakes={
            "cache keys before the rotation": torch.tensor([1.0, 0.0]),
            "rotate the other way": torch.tensor([0.0, -1.0]),
        },
    )

    y, cache = _step(fn, x[:, :1], None, params, "token 0 alone")
    outputs = [y]
    for t in range(1, 4):
        before = {name: each.clone() for name, each in cache.items()}
        y, new = _step(fn, x[:, t : t + 1], cache, params, f"token {t} alone")
        if not _same(cache, before):
            fail("Your step changed the cache it was given; it must return a new one.")
        cache = new
        outputs.append(y)
    close(
        torch.cat(outputs, dim=1),
        want,
        "the same tokens one by one",
        mistakes={
            "rotate every new token by position 0": unturned,
            "overwrite the cache instead of appending": x * torch.tensor([0.0, 1.0, 1.0]),
        },
    )
    equal(tuple(cache["k"].shape), (2, 2, 4, 2), "shape of the cached keys after 4 single steps")

    _, cache = _step(fn, x[:, :1], None, params, "prefill of 1 token")
    y, _ = _step(fn, x[:, 1:], cache, params, "3 tokens after 1 cached one")
    close(y[:, -1], want[:, -1], "1 cached and 3 new tokens: the last new one, which sees all")
    close(
        y,
        want[:, 1:],
        "1 cached and 3 new tokens (the mask is a rectangle: new token i sees columns j <= T + i)",
    )
    single = {name: each if name == "n_heads" else each.float() for name, each in params.items()}
    y, _ = _step(fn, x.float(), None, single, "float32 tokens and weights")
    close(y, want.float(), "float32 tokens and weights give float32 outputs")
    passed("cached_attention_step")


@visible_check
def attention_score_count(fn: Callable[..., Any]) -> None:
    """Three small texts by hand, and exactness."""
    full = {"count the last step only": 16, "count the causal half": 20, "return T": 4}
    equal(fn(4, False), 30, "T=4, no cache, full squares (1 + 4 + 9 + 16)", mistakes=full)
    equal(
        fn(4, False, causal_only=True),
        20,
        "T=4, no cache, causal halves (1 + 3 + 6 + 10)",
        mistakes={"ignore causal_only": 30, "halve the full squares": 15, "skip j = i": 10},
    )
    with_cache = {"leave out the token itself": 6, "return T": 4, "return T squared": 16}
    equal(fn(4, True), 10, "T=4, with cache (1 + 2 + 3 + 4)", mistakes=with_cache)
    equal(fn(4, True, causal_only=True), 10, "T=4, with cache, causal_only changes nothing")
    equal(fn(1, False), 1, "T=1")
    passed("attention_score_count")


@visible_check
def speedup_factor(fn: Callable[..., Any]) -> None:
    """T=4 by hand, T=1, an unknown kind."""
    wanted = {"scores_full": 3.0, "scores_causal": 2.0, "projections": 2.5}
    for kind, want in wanted.items():
        close(
            _number(fn(4, kind), kind),
            want,
            f"T=4, {kind}",
            mistakes={
                "take the gain of the last step (the slide's L)": 4.0,
                "round down to an int": float(math.floor(want)),
                "divide the other way round": 1 / want,
            },
        )
        close(_number(fn(1, kind), kind), 1.0, f"T=1, {kind}: a single step gains nothing")
    raises(ValueError, fn, 4, "training", what="an unknown kind")
    passed("speedup_factor")


@visible_check
def kv_cache_bytes(fn: Callable[..., Any]) -> None:
    """GPT-2 by hand, two published models."""
    want = 36_864
    mistakes = {
        "forget that keys and values are two tensors": want // 2,
        "count bits": want * 8,
        "forget the layers": want // 12,
    }
    equal(fn(1, 1, 12, 12, 64, 2), want, "GPT-2, one token, 2 bytes", mistakes=mistakes)
    equal(fn(1, 1, 40, 40, 128, 2), 819_200, "OPT-13B, one token, 2 bytes")
    equal(fn(1, 1, 32, 8, 128, 2), 131_072, "Llama-3-8B, one token, 2 bytes")
    equal(fn(3, 10, 2, 5, 4, 4), 9_600, "3 sequences of 10 tokens, 2 layers, 5 heads of 4, 4 bytes")
    passed("kv_cache_bytes")


@visible_check
def blocks_needed(fn: Callable[..., Any]) -> None:
    """Around a multiple of the block size."""
    for length, want in ((7, 2), (8, 2), (9, 3), (1, 1), (0, 0)):
        equal(
            fn(length, 4),
            want,
            f"{length} tokens, blocks of 4",
            mistakes={"add 1 at exact multiples too": length // 4 + 1, "round down": length // 4},
        )
    passed("blocks_needed")


@visible_check
def wasted_slots(fn: Callable[..., Any]) -> None:
    """Alone, together, none."""
    equal(fn([7], 4), 1, "one sequence of 7, blocks of 4")
    equal(fn([8], 4), 0, "one sequence of 8, blocks of 4", mistakes={"count a whole block": 4})
    mistakes = {"pool all tokens before rounding up": 3, "pad to the longest": 10}
    equal(fn([9, 7, 1], 4), 7, "sequences of 9, 7 and 1, blocks of 4", mistakes=mistakes)
    equal(fn([], 4), 0, "no sequence at all")
    passed("wasted_slots")


@visible_check
def BlockAllocator(cls: Callable[..., Any]) -> None:  # noqa: N802 (a check is called like its exercise)
    """The story of the table in the notebook, then a pool that is too small."""
    pool = cls(5, 4)
    a = pool.allocate(list("prompt"))
    equal(pool.n_free(), 3, "free blocks after allocating 6 tokens in a pool of 5 blocks of 4")
    equal(pool.read(a), list("prompt"), "the tokens of A")

    b = pool.fork(a)
    equal(pool.n_free(), 3, "free blocks after B = fork(A): a fork takes none")
    equal(pool.table(b), pool.table(a), "the table of B after the fork")
    counts = [pool.ref_count(block) for block in pool.table(a)]
    equal(counts, [2, 2], "reference counts of A's blocks after the fork")

    pool.append(b, "x")
    if pool.read(a) != list("prompt"):
        fail("append(B, 'x') changed what A reads: copy a shared block before you write to it.")
    if pool.table(a)[-1] == pool.table(b)[-1]:
        fail(
            "After append(B, 'x') both tables still hold the same last block. "
            "It was shared and half full: B needs a copy of its own (and tables need to be copies)."
        )
    equal(pool.read(b), list("promptx"), "the tokens of B after append(B, 'x')")
    equal(pool.n_free(), 2, "free blocks after append(B, 'x'): only the last block is copied")
    equal(pool.ref_count(pool.table(a)[-1]), 1, "count of A's last block: B has let it go")

    pool.append(a, "y")
    equal(pool.n_free(), 2, "free blocks after append(A, 'y'): the block is A's own, no copy")
    equal((pool.read(a), pool.read(b)), (list("prompty"), list("promptx")), "tokens of A and B")

    shared = pool.table(a)[0]
    pool.free(a)
    equal(pool.n_free(), 3, "free blocks after free(A): B still needs the first block")
    equal(pool.ref_count(shared), 1, "count of the block that A and B shared, after free(A)")
    equal(pool.read(b), list("promptx"), "the tokens of B after free(A)")
    raises(KeyError, pool.append, a, "z", what="append to a freed sequence")

    raises(MemoryError, pool.allocate, list("thirteen char"), what="13 tokens, 3 free blocks")
    equal(pool.n_free(), 3, "free blocks after a failed allocate: nothing may have changed")
    pool.free(b)
    equal(pool.n_free(), 5, "free blocks at the end: all of them")

    pool = cls(2, 2)
    empty = pool.allocate([])
    equal(pool.n_free(), 2, "free blocks after allocate([]): an empty prompt takes none")
    c = pool.allocate([1, 2])
    d = pool.fork(c)
    equal(len({empty, c, d}), 3, "number of different ids of three sequences")
    pool.append(d, 3)
    equal(pool.table(d)[:1], pool.table(c), "a full shared block is not copied: first block of D")
    raises(MemoryError, pool.append, c, 4, what="append with no block free")
    equal(pool.read(c), [1, 2], "the tokens of C after the append that failed")
    passed("BlockAllocator")


def _number(value: Any, kind: str) -> float:
    """A float or Fraction as a float."""
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction):
        fail(f"{kind}: return a float or a Fraction, not {value!r} (a {type(value).__name__}).")
    return float(value)


def _is_cache(cache: Any, what: str) -> None:
    tensors = isinstance(cache, dict) and all(
        isinstance(cache.get(name), torch.Tensor) for name in ("k", "v")
    )
    if not tensors:
        fail(f'{what}: expected a dictionary with tensors "k" and "v", received {cache!r}.')


def _same(cache: dict[str, torch.Tensor], before: dict[str, torch.Tensor]) -> bool:
    return set(cache) == set(before) and all(torch.equal(cache[k], before[k]) for k in before)


def _step(
    fn: Callable[..., Any], x: torch.Tensor, cache: Any, params: dict[str, Any], what: str
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    result = fn(x, cache, params)
    if not isinstance(result, tuple) or len(result) != 2:
        fail(f"{what}: return two things, y_t and the new cache, as `return y, cache`.")
    return result


def _quarter_turns() -> tuple[torch.Tensor, torch.Tensor, dict[str, Any]]:
    """Scaled scores ln 2 · cos(90° · distance) in head 0, zero in head 1: [B=2, T=4, d_model=3]."""
    f64 = torch.float64
    means = torch.tensor([[12.0, 0, 6, 2], [3, 5, 1, 7]], dtype=f64)
    values = torch.tensor([[21.0, 0, 42, 63], [42, 21, 7, 4]], dtype=f64)
    x = torch.stack([torch.ones_like(means), means, values], dim=-1)
    want = torch.tensor(
        [
            [[0, 12, 21], [0, 6, 7], [0, 6, 27], [0, 5, 42]],
            [[0, 3, 42], [0, 4, 28], [0, 3, 16], [0, 4, 15]],
        ],
        dtype=f64,
    )
    to_heads = torch.zeros(3, 4, dtype=f64)
    to_heads[0, 0] = math.sqrt(math.sqrt(2) * math.log(2))
    to_values, back = torch.zeros(3, 4, dtype=f64), torch.zeros(4, 3, dtype=f64)
    to_values[2, 0] = to_values[1, 2] = back[0, 2] = back[2, 1] = 1
    turns = [[[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]]]
    params = {"Wq": to_heads, "Wk": to_heads, "Wv": to_values, "Wo": back, "n_heads": 2}
    return x, want, params | {"rope": torch.tensor(turns * 2, dtype=f64)}

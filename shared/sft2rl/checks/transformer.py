"""Visible checks of assignment 02: numbers made by hand, stored numbers, and properties."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from sft2rl.checks import close, equal, fail, passed, visible_check


@visible_check
def causal_mask(fn: Callable) -> None:
    """Three tokens by hand, and one."""
    want = [[True, False, False], [True, True, False], [True, True, True]]
    got = fn(3)
    if not isinstance(got, torch.Tensor) or got.dtype != torch.bool:
        fail(f"Return a tensor of dtype bool, not {getattr(got, 'dtype', type(got).__name__)}.")
    equal(
        got.tolist(),
        want,
        "the mask of three tokens",
        mistakes={
            "hide a token from itself (j < i)": [[False] * 3, *want[:2]],
            "let tokens see the future (j >= i)": [list(row) for row in zip(*want, strict=True)],
            "mark what is hidden: here True means may attend": [
                [not each for each in row] for row in want
            ],
        },
    )
    equal(fn(1).tolist(), [[True]], "one token, which sees itself")
    passed("causal_mask")


@visible_check
def attention(fn: Callable) -> None:
    """The worked example, large scores, shapes, a leak, and the graph."""
    q, k, v = _t([[2, 0, 0, 0]] * 3), _zeros(3, 4), _t([[80], [40], [8]])
    k[:, 0] = _t([1, 2, 5]).log()
    see_all, causal = torch.ones(3, 3, dtype=torch.bool), _t([[1, 0, 0], [1, 1, 0], [1, 1, 1]]) > 0
    out, weights = _pair(fn(q, k, v, causal), "(out, weights)")
    close(
        weights,
        _t([[1, 0, 0], [1 / 3, 2 / 3, 0], [1 / 8, 2 / 8, 5 / 8]]),
        "the weights of the worked example",
        mistakes={
            "do not divide the scores by sqrt(d_k)": _t(
                [[1, 0, 0], [1 / 5, 4 / 5, 0], [1 / 30, 4 / 30, 25 / 30]]
            ),
            "ignore the mask": _t([[1 / 8, 2 / 8, 5 / 8]] * 3),
            "apply the mask after the softmax": _t([[1 / 8, 2 / 8, 5 / 8]] * 3) * causal,
            "read the mask the wrong way round (True means may attend)": _t(
                [[0, 2 / 7, 5 / 7], [0, 0, 1], [math.nan] * 3]
            ),
        },
    )
    close(out, _t([[80], [160 / 3], [25]]), "the outputs of the worked example")
    close(fn(q, k, v)[0], _t([[25]] * 3), "the same without a mask (None)")
    rows = fn(_wave(2, 3, 4), _wave(2, 3, 4), _wave(2, 3, 5), see_all)[1]
    close(rows.sum(-1), torch.ones(2, 3, dtype=torch.float64), "sums of the rows of weights")

    heads = fn(_wave(2, 3, 4, 5), _wave(2, 3, 6, 5), _wave(2, 3, 6, 7))
    shapes = [tuple(each.shape) for each in heads]
    equal(shapes, [(2, 3, 4, 7), (2, 3, 4, 6)], "shapes for q [2, 3, 4, 5] and v [2, 3, 6, 7]")
    far, _ = fn(1000 * q, k, v, causal)
    close(far, _t([[80], [40], [8]]), "scores a thousand times larger: the largest takes all")
    leaf = q.clone().requires_grad_()
    if not fn(leaf, k, v, causal)[0].requires_grad:
        fail("The output must keep the graph: is there a detach or a no_grad?")
    passed("attention")


@visible_check
def split_heads(fn: Callable) -> None:
    """Three tokens with two heads of two columns."""
    x = torch.tensor([[[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]]])
    got = fn(x, 2)
    equal(tuple(got.shape), (1, 2, 3, 2), "shape for x [1, 3, 4] and two heads")
    equal(
        got.tolist(),
        [[[[0, 1], [10, 11], [20, 21]], [[2, 3], [12, 13], [22, 23]]]],
        "the two heads of the text",
        mistakes={
            "use view without a transpose: tokens are torn apart": x.view(1, 2, 3, 2).tolist(),
            "interleave the heads": [[[[0, 2], [10, 12], [20, 22]], [[1, 3], [11, 13], [21, 23]]]],
        },
    )
    passed("split_heads")


@visible_check
def merge_heads(fn: Callable) -> None:
    """The way back, from a tensor that is not contiguous."""
    x = torch.tensor([[[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]]])
    heads = torch.stack([x[..., :2], x[..., 2:]], dim=1)
    for each, what in ((heads, "two heads"), (heads.mT.contiguous().mT, "the same, transposed")):
        got = fn(each)
        equal(
            got.tolist(),
            x.tolist(),
            f"merging {what}",
            mistakes={"use view without a transpose": heads.reshape(1, 3, 4).tolist()},
        )
    passed("merge_heads")


@visible_check
def multi_head_attention(fn: Callable) -> None:
    """Two heads that do one thing each, biases, widths."""
    x = _t([[[1, 0], [0, 1], [1, 1]]])
    mask = _t([[1, 0, 0], [1, 1, 0], [1, 1, 1]]) > 0
    # Head 0 copies the token itself (its scores are huge), head 1 averages what it sees.
    Wq, Wk = _t([[50, 0, 0, 0], [0, 50, 0, 0]]), _t([[50, 0, 0, 0], [0, 50, 0, 0]])
    Wv, Wo = _t([[1, 0, 1, 0], [0, 1, 0, 1]]), torch.eye(4, dtype=torch.float64)
    Wq = torch.cat([Wq[:, :2], _zeros(2, 2)], 1)
    got = fn(x, Wq, Wk, Wv, Wo, 2, mask)
    want = _t([[[1, 0, 1, 0], [0, 1, 0.5, 0.5], [1, 1, 2 / 3, 2 / 3]]])
    close(
        got,
        want,
        "two heads: one looks at the token itself, one averages",
        mistakes={
            "leave the mask out": _t([[[1, 0.5, 2 / 3, 2 / 3], [0.5, 1, 2 / 3, 2 / 3],
                                       [1, 1, 2 / 3, 2 / 3]]]),
        },
    )  # fmt: skip
    mixed = fn(x, Wq, Wk, Wv, _t([[1, 0], [0, 0], [0, 0], [0, 10]]), 2, mask)
    close(
        mixed,
        _t([[[1, 0], [0, 5], [1, 20 / 3]]]),
        "the same heads, mixed by a Wo that is not square",
    )
    per_head = torch.stack([mask, torch.ones_like(mask)])
    close(
        fn(torch.cat([x, x]), Wq, Wk, Wv, Wo, 2, per_head)[:, 0, 2:],
        _t([[2 / 3, 2 / 3]] * 2),
        "head 1 at token 0, with a mask [H, T, T]: causal for head 0, everything for head 1",
        mistakes={
            "read the first of the mask's three dimensions as the batch": _t(
                [[1, 0], [2 / 3, 2 / 3]]
            ),
        },
    )
    one, three = torch.ones(4, dtype=torch.float64), 3 * torch.ones(4, dtype=torch.float64)
    shifted = fn(x, Wq, Wk, Wv, Wo, 2, mask, bv=one, bo=three)
    close(shifted, want + 4, "values and outputs with biases: 1 in bv and 3 in bo")
    # Equal queries and keys of width 4 per head: the weights follow from sqrt(4) = 2.
    q, k = _zeros(1, 8), _zeros(1, 8)
    q[:, ::4], k[:, ::4] = 2.0, math.log(2)
    x = _t([[[0], [1]]])
    wide = fn(x, q, k, _t([[1, 1]]), torch.eye(2, dtype=torch.float64), 2)
    close(
        wide[0, 1],
        _t([2 / 3, 2 / 3]),
        "two heads of width 4 in a model of width 1: weights 1/3 and 2/3",
        mistakes={
            "divide by the square root of the width of the model": _t([4 / 5, 4 / 5]),
            "divide by the square root of all heads' columns": _t(
                [0.620136837873846, 0.620136837873846]
            ),
        },
    )
    leaf = Wq.clone().requires_grad_()
    if not fn(_t([[[1, 0], [0, 1]]]), leaf, Wk, Wv, Wo, 2).requires_grad:
        fail("The output must keep the graph to the weights: is there a detach?")
    passed("multi_head_attention")


@visible_check
def is_equivariant_report(fn: Callable) -> None:
    """Layers whose properties are known, and a permutation that is not its own inverse."""
    perm = torch.tensor([2, 0, 3, 1])

    def mean(x):
        return x.mean(1, keepdim=True).expand_as(x)

    cases = {
        "a function of each token alone": (lambda x: x.square(), False, True),
        "the mean of all tokens": (mean, True, True),
        "the running sum": (lambda x: x.cumsum(1), False, False),
        "the tokens' features, each sorted along time": (lambda x: x.sort(1)[0], True, False),
    }
    for name, (layer, invariant, equivariant) in cases.items():
        got = fn(layer, perm)
        if not isinstance(got, dict) or set(got) != {"invariant", "equivariant"}:
            fail(f'Return a dict with the keys "invariant" and "equivariant", not {got!r}.')
        equal(
            got,
            {"invariant": invariant, "equivariant": equivariant},
            name,
            mistakes={
                "swap the two words": {"invariant": equivariant, "equivariant": invariant},
                "test with an input that the permutation does not change, or with equal tokens": {
                    "invariant": True,
                    "equivariant": True,
                },
                "test with an input on which too little differs, or with the inverse permutation": {
                    "invariant": False,
                    "equivariant": False,
                },
            },
        )
    passed("is_equivariant_report")


@visible_check
def layer_norm(fn: Callable) -> None:
    """A token by hand, the token of the text, a large mean in float32, and the graph."""
    ones, zeros = torch.ones(4, dtype=torch.float64), _zeros(4)
    x = _t([[1, 3, 5, 7]])
    unit = (x - 4) / math.sqrt(5 + 1e-5)
    close(
        fn(x, ones, zeros),
        unit,
        "the token (1, 3, 5, 7): mean 4, variance 5",
        mistakes={
            "divide the variance by d - 1": (x - 4) / math.sqrt(20 / 3 + 1e-5),
            "leave out eps": (x - 4) / math.sqrt(5),
            "add eps outside the root": (x - 4) / (math.sqrt(5) + 1e-5),
        },
    )
    gamma, beta = _t([1, 2, 3, 4]), _t([10, 20, 30, 40])
    close(fn(x, gamma, beta), unit * gamma + beta, "the same with gamma and beta")
    near = _t([[1, 1, 1, 1.0001]])
    close(
        fn(near, ones, zeros),
        _t([[-0.007904953, -0.007904953, -0.007904953, 0.023714859]]),
        "the nearly constant token of the text",
        rtol=1e-6,
    )
    two = torch.stack([x, 100 * x, near])
    close(fn(two, ones, zeros)[:1], unit[None], "one token among others: each has its own mean")
    close(
        fn((x + 10_000).float(), ones.float(), zeros.float()),
        unit.float(),
        "float32, with 10,000 added to each entry: subtract the mean before you square",
        rtol=1e-4,
    )
    if not fn(x.requires_grad_(), ones, zeros).requires_grad:
        fail("The output must keep the graph: is there a detach or a no_grad?")
    passed("layer_norm")


@visible_check
def feed_forward(fn: Callable) -> None:
    """The worked example and a token for which no pattern fits."""
    W1, b1 = _t([[1, -1, 0], [1, 0, 1]]), _t([0, 0, -3])
    W2, b2 = _t([[-2, 1], [5, 5], [7, 7]]), _t([1, 1])
    close(
        fn(_t([[[1, 2]]]), W1, b1, W2, b2),
        _t([[[-5, 4]]]),
        "the worked example",
        mistakes={
            "apply a ReLU to the output, too": _t([[[0, 4]]]),
            "leave out b2": _t([[[-6, 3]]]),
            "leave out the ReLU": _t([[[-17, -8]]]),
            "leave out b1": _t([[[9, 18]]]),
        },
    )
    close(fn(_t([[0, -1]]), W1, b1, W2, b2), _t([[1, 1]]), "no pattern fits: only b2 is left")
    passed("feed_forward")


@visible_check
def transformer_block(fn: Callable) -> None:
    """Identity with zeroed outputs, each half alone, stored numbers, causality."""
    x, p = _wave(2, 5, 6), _block(6, 6, 9)
    silent = {**p, **{name: torch.zeros_like(p[name]) for name in ("Wo", "bo", "W2", "b2")}}
    close(
        fn(x, silent, 2),
        x,
        "with Wo, bo, W2 and b2 zero the block adds nothing and returns x",
    )
    got = fn(x, p, 2)
    changed = x.clone()
    changed[:, 3:] += 1.0
    if not torch.equal(fn(changed, p, 2)[:, :3], got[:, :3]):
        fail("Tokens 0 to 2 changed when tokens 3 and 4 did: use the causal mask in the block.")
    close(
        got[1, 4],
        _t(BLOCK),
        "the last token of a block with stored weights: is it LN1 before attention, "
        "x + attention, LN2 of that sum, and that sum + FFN?",
        rtol=1e-6,
    )
    passed("transformer_block")


@visible_check
def count_parameters(fn: Callable) -> None:
    """GPT-2 small, a small one with an own width, an untied one."""
    small = {"vocab_size": 50257, "n_positions": 1024, "n_embd": 768, "n_layer": 12,
             "n_head": 12, "n_inner": None, "tie_word_embeddings": True}  # fmt: skip
    equal(
        fn(dict(small)),
        124_439_808,
        "GPT-2 small",
        mistakes={
            "count the tied head a second time": 124_439_808 + 50257 * 768,
            "forget the table of positions": 124_439_808 - 1024 * 768,
            "forget the final layer normalisation": 124_439_808 - 2 * 768,
            "forget the biases and normalisations of the blocks": 124_439_808 - 12 * 13 * 768,
            "forget the layer normalisations of the blocks, or the biases of their attention": (
                124_439_808 - 12 * 4 * 768
            ),
            "count one normalisation per block": 124_439_808 - 12 * 2 * 768,
        },
    )
    tiny = {"vocab_size": 97, "n_positions": 32, "n_embd": 24, "n_layer": 3, "n_head": 4,
            "n_inner": 40, "tie_word_embeddings": True}  # fmt: skip
    equal(fn(dict(tiny)), 16_584, "d = 24, n_inner = 40, three blocks",
          mistakes={"take 4 * d for the inner width": 24_816})  # fmt: skip
    equal(fn({**tiny, "tie_word_embeddings": False}), 16_584 + 97 * 24, "the same, not tied")
    passed("count_parameters")


@visible_check
def lm_logits(fn: Callable) -> None:
    """Two tokens by hand, and a table used as a head."""
    h, W_U = _t([[[1, 2], [0, -1]]]), _t([[1, 0, 3], [0, 1, -1]])
    want = _t([[[1, 2, 1], [0, -1, 1]]])
    close(
        fn(h, W_U),
        want,
        "two tokens and three words",
        mistakes={
            "return probabilities: logits are not normalised": want.softmax(-1),
            "return log-probabilities: logits are not normalised": want.log_softmax(-1),
            "keep only the last position": want[:, -1],
        },
    )
    table = _wave(3, 2).requires_grad_()
    if not fn(h, table.T).requires_grad:
        fail("The logits must keep the graph to W_U, which may be the token table: no detach.")
    passed("lm_logits")


@visible_check
def next_token_distribution(fn: Callable) -> None:
    """A model whose logits count the tokens so far, padded in three ways."""

    class Output:
        def __init__(self, logits: torch.Tensor) -> None:
            self.logits = logits

    def model(ids: torch.Tensor) -> torch.Tensor:
        # Position t: a running sum of the one-hot ids, weighted with the position.
        one_hot = torch.nn.functional.one_hot(ids, 5).double()
        return (one_hot * torch.arange(1.0, ids.shape[1] + 1).double()[:, None]).cumsum(1)

    alone = model(torch.tensor([[3, 1, 2]]))[:, -1].softmax(-1)
    rows = {
        "padding on the right": ([3, 1, 2, 4, 4], [1, 1, 1, 0, 0]),
        "padding on the left": ([4, 4, 3, 1, 2], [0, 0, 1, 1, 1]),
        "padding on both sides": ([4, 3, 1, 2, 4], [0, 1, 1, 1, 0]),
        "pads that look like tokens": ([3, 1, 2, 2, 1], [1, 1, 1, 0, 0]),
    }
    for what, (tokens, real) in rows.items():
        ids, mask = torch.tensor([tokens]), torch.tensor([real])
        close(
            fn(model, ids, mask),
            alone,
            f"{what}: the same as without padding",
            mistakes={
                "take the last position, a pad or not": model(ids)[:, -1].softmax(-1),
                "let the tokens see the pads": model(ids)[mask.bool()][-1:].softmax(-1),
                "return logits": model(torch.tensor([[3, 1, 2]]))[:, -1],
            },
        )
    ids, mask = (torch.tensor([row[i] for row in rows.values()]) for i in (0, 1))
    close(fn(model, ids, mask), alone.expand(4, 5).clone(), "all four rows in one batch")
    close(fn(lambda ids: Output(model(ids)), ids, mask)[:1], alone, "a model that returns .logits")
    passed("next_token_distribution")


@visible_check
def TinyDecoder(cls: Callable) -> None:  # noqa: N802 (a check is called like its exercise)
    """Stored numbers, causality, an untied head, and pieces through the cache."""
    params = _gpt(V=7, P=9, d=6, d_ff=8, n_layer=2)
    ids = torch.tensor([[3, 1, 4, 1, 5], [2, 6, 0, 3, 3]])
    decoder = cls(params, 2)
    got = decoder.forward(ids)
    if not isinstance(got, torch.Tensor):
        fail("Without past_key_values, forward returns the logits alone: one tensor.")
    equal(tuple(got.shape), (2, 5, 7), "shape of the logits for ids [2, 5] and 7 words")
    close(
        got[0, 4],
        _t(LOGITS),
        "logits after the ids 3, 1, 4, 1, 5",
        mistakes={"forget the final layer normalisation": _t(NO_FINAL_NORM)},
        rtol=1e-6,
    )
    head = _wave(6, 7)
    untied = cls({**params, "W_U": head}, 2).forward(ids)
    if torch.equal(untied, got):
        fail('With "W_U" in params the head is that matrix; yours is still the token table.')

    logits, cache = _pair(decoder.forward(ids[:, :2], []), "(logits, cache) when a list is given")
    close(logits, got[:, :2], "two tokens with an empty cache, []")
    if not isinstance(cache, list) or len(cache) != 2:
        fail("The cache is a list with one pair (k, v) per block; there are two blocks.")
    shapes = [tuple(each.shape) for pair in cache for each in pair]
    equal(shapes, [(2, 2, 2, 3)] * 4, "shapes in the cache: [B, H, T_past, d]")
    one, longer = decoder.forward(ids[:, 2:3], cache)
    restarted = decoder.forward(ids[:, 2:3])
    close(
        one,
        got[:, 2:3],
        "a third token behind two cached ones",
        mistakes={"ignore the cache": restarted},
    )
    close(decoder.forward(ids[:, 3:], longer)[0], got[:, 3:], "two more tokens at once")
    close(decoder.forward(ids[:, 2:], cache)[0], got[:, 2:], "three tokens behind the first two")
    passed("TinyDecoder")


def _t(values: Any) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(*shape, dtype=torch.float64)


def _wave(*shape: int, step: float = 1.0) -> torch.Tensor:
    """Numbers between -1 and 1 that look random and are the same on every machine."""
    n = torch.arange(1, math.prod(shape) + 1, dtype=torch.float64)
    return torch.sin(step * n * n).reshape(shape)


def _pair(got: Any, what: str) -> tuple[Any, Any]:
    if not isinstance(got, tuple) or len(got) != 2:
        fail(f"Return the tuple {what}, not a {type(got).__name__}.")
    return got


def _block(d: int, width: int, d_ff: int, step: float = 0.7) -> dict[str, torch.Tensor]:
    shapes = {"Wq": (d, width), "Wk": (d, width), "Wv": (d, width), "Wo": (width, d),
              "W1": (d, d_ff), "W2": (d_ff, d), "bq": (width,), "bk": (width,),
              "bv": (width,), "bo": (d,), "b1": (d_ff,), "b2": (d,), "ln1_gamma": (d,),
              "ln1_beta": (d,), "ln2_gamma": (d,), "ln2_beta": (d,)}  # fmt: skip
    waves = {
        name: _wave(*shape, step=step + i / 9) for i, (name, shape) in enumerate(shapes.items())
    }
    return {name: 1 + each / 2 if "gamma" in name else each for name, each in waves.items()}


def _gpt(V: int, P: int, d: int, d_ff: int, n_layer: int) -> dict[str, Any]:  # noqa: N803
    return {
        "wte": _wave(V, d, step=0.3),
        "wpe": _wave(P, d, step=0.4),
        "blocks": [_block(d, d, d_ff, step=0.5 + i) for i in range(n_layer)],
        "lnf_gamma": 1 + _wave(d) / 2,
        "lnf_beta": _wave(d, step=0.6),
    }


# Made with GPT2LMHeadModel of transformers 5.23 and the same weights.
BLOCK = [5.053947368, 0.183725763, -0.860193843, -2.034976209, 1.14045605, -1.059488896]
LOGITS = [2.150624533, 4.379337157, 2.407276375, 3.6571023, -0.415709879, -3.204298767, 4.066615013]
NO_FINAL_NORM = [
    13.028015133, 27.850855703, 7.584466834, 14.282387233, -9.919676372, -10.912620131, 11.316900571
]  # fmt: skip

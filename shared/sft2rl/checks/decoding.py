"""Visible checks of assignment 04: small numbers made by hand, and properties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from sft2rl.checks import close, equal, fail, passed, visible_check


@visible_check
def greedy_decode(fn: Callable) -> None:
    """The table of the text, a batch that ends early, and a single prompt."""
    prompts = torch.tensor([[7, 5], [7, 6], [1, 2]])
    model = story_llama({5: 8, 8: 1, 6: 9, 9: 2, 2: 4, 4: 3, 3: 1, 1: 6, 0: 0, 7: 0})
    got = _ids(fn(model, prompts, 4, 1), "greedy_decode")
    equal(
        got,
        [[7, 5, 8, 1, 1, 1], [7, 6, 9, 2, 4, 3], [1, 2, 4, 3, 1, 1]],
        "the three prompts of the table, EOS = 1, 4 new tokens",
        mistakes={
            "stop the whole batch at the first EOS (or count the prompt as new tokens)": [
                [7, 5, 8, 1],
                [7, 6, 9, 2],
                [1, 2, 4, 3],
            ],
            "return the completions without the prompts": [
                [8, 1, 1, 1],
                [9, 2, 4, 3],
                [4, 3, 1, 1],
            ],
            "fill finished rows with 0": [
                [7, 5, 8, 1, 0, 0],
                [7, 6, 9, 2, 4, 3],
                [1, 2, 4, 3, 1, 0],
            ],
            "let finished rows go on": [
                [7, 5, 8, 1, 6, 9],
                [7, 6, 9, 2, 4, 3],
                [1, 2, 4, 3, 1, 6],
            ],
            "let an EOS in the prompt end a row": [
                [7, 5, 8, 1, 1, 1],
                [7, 6, 9, 2, 4, 3],
                [1, 2, 1, 1, 1, 1],
            ],
        },
    )
    equal(prompts.tolist(), [[7, 5], [7, 6], [1, 2]], "the prompts afterwards (do not change them)")
    equal(
        _ids(fn(model, prompts[::2], 4, 1), "greedy_decode"),
        [[7, 5, 8, 1, 1], [1, 2, 4, 3, 1]],
        "without the long row: nothing is computed once every row has finished",
        mistakes={"always go on for max_new_tokens": [[7, 5, 8, 1, 1, 1], [1, 2, 4, 3, 1, 1]]},
    )
    equal(
        _ids(fn(model, prompts[1:2], 1, 1), "greedy_decode"), [[7, 6, 9]], "one prompt, one token"
    )
    passed("greedy_decode")


@visible_check
def temperature_probs(fn: Callable) -> None:
    """The table of the text, a shift, extreme logits and a batch."""
    logits = _t(0.5, 0.3, 0.2).log()
    for tau, weights in ((0.5, _t(0.25, 0.09, 0.04)), (2.0, _t(0.5, 0.3, 0.2).sqrt())):
        close(
            fn(logits, tau),
            weights / weights.sum(),
            f"probabilities (.5, .3, .2) at temperature {tau}",
            mistakes={
                "multiply the logits by tau": (logits * tau).softmax(0),
                "divide the probabilities by tau and renormalise": _t(0.5, 0.3, 0.2),
                "forget to normalise": weights,
            },
        )
    close(
        fn(_t(-1.0, 2.0, 0.0) + 3000.0, 2.0),
        _t(-0.5, 1.0, 0.0).softmax(0),
        "logits around 3000 (exp overflows: subtract the maximum, or use softmax)",
    )
    close(fn(_t(1.0, 5.0, 2.0), 1e-3), _t(0.0, 1.0, 0.0), "temperature 0.001 is nearly greedy")
    close(
        fn(_t(0.0, -torch.inf, 0.0), 0.7),
        _t(0.5, 0.0, 0.5),
        "a token that is ruled out by a logit of -inf",
    )
    batch = torch.stack([logits, logits.flip(0)])
    close(
        fn(batch, 0.5),
        torch.stack([fn(logits, 0.5), fn(logits, 0.5).flip(0)]),
        "two rows: normalise over the last dimension",
    )
    passed("temperature_probs")


@visible_check
def top_p_filter(fn: Callable) -> None:
    """The table of the text, one dominant token, p = 1 and a batch."""
    probs = _t(0.1, 0.4, 0.05, 0.3, 0.15)
    kept = _t(0.0, 0.4, 0.0, 0.3, 0.15)
    close(
        fn(probs, 0.8),
        kept / 0.85,
        "probabilities (.1, .4, .05, .3, .15) with p = .8",
        mistakes={
            "drop the token that crosses p": _t(0.0, 4 / 7, 0.0, 3 / 7, 0.0),
            "forget to renormalise": kept,
            "return the probabilities in sorted order": _t(0.4, 0.3, 0.15, 0.0, 0.0) / 0.85,
            "keep one token too many": _t(0.1, 0.4, 0.0, 0.3, 0.15) / 0.95,
        },
    )
    close(
        fn(probs, 0.2),
        _t(0.0, 1.0, 0.0, 0.0, 0.0),
        "p = .2, less than the largest probability: one token stays",
    )
    tenth = torch.full((10,), 0.1, dtype=torch.float32)
    close(
        fn(tenth, 1.0),
        tenth,
        "p = 1 with ten equal probabilities in float32 (their running sum may miss 1)",
    )
    batch = torch.stack([probs, _t(0.7, 0.1, 0.1, 0.06, 0.04)])
    want = torch.stack([kept / 0.85, _t(0.7, 0.1, 0.1, 0.0, 0.0) / 0.9])
    close(fn(batch, 0.82), want, "two rows at p = .82: each has a nucleus of its own size")
    passed("top_p_filter")


@visible_check
def sample_from(fn: Callable) -> None:
    """The table of the text, both ends of the interval, and a batch."""
    probs, us = _t(0.25, 0.25, 0.0, 0.5), (0.0, 0.2, 0.25, 0.4, 0.5, 0.99)
    got = [_token(fn(probs, _t(u)), "sample_from") for u in us]
    equal(
        got,
        [0, 0, 1, 1, 3, 3],
        f"probabilities (.25, .25, 0, .5) at u = {us}",
        mistakes={
            "take the first cumulative sum >= u instead of > u": [0, 0, 0, 1, 1, 3],
            "take the largest product of probability and u": [0, 3, 3, 3, 3, 3],
            "count one too many": [1, 1, 3, 3, 4, 4],
        },
    )
    equal(
        _token(fn(_t(0.0, 0.0, 1.0), _t(0.0)), "sample_from"),
        2,
        "u = 0 and the first tokens have probability 0: they are never drawn",
        mistakes={"take the first cumulative sum >= u instead of > u": 0},
    )
    short = torch.tensor([0.25, 0.749999, 0.0, 0.0], dtype=torch.float32)
    equal(
        _token(fn(short, _t(0.9999999)), "sample_from"),
        1,
        "u above the last cumulative sum, which rounding left below 1",
        mistakes={
            "return an index outside the vocabulary": 4,
            "take the last token, whose probability is 0": 3,
            "take the first token when none is found": 0,
        },
    )
    got = fn(torch.stack([probs, probs.flip(0)]), _t(0.4, 0.6))
    if not isinstance(got, torch.Tensor) or got.dtype != torch.long or got.shape != (2,):
        fail("For probs [2, 4] and u [2], return a long tensor [2]: one token per row.")
    equal(got.tolist(), [1, 2], "two rows, each with its own u")
    passed("sample_from")


@visible_check
def acceptance_probability(fn: Callable) -> None:
    """The three tokens of the table, and one that the target never produces."""
    p, q = _t(0.5, 0.3, 0.2), _t(0.2, 0.2, 0.6)
    got = [float(fn(p, q, token)) for token in range(3)]
    close(
        got,
        [1.0, 1.0, 1 / 3],
        "p = (.5, .3, .2), q = (.2, .2, .6), tokens 0, 1 and 2",
        mistakes={
            "turn the ratio round: it is p over q": [0.4, 2 / 3, 1.0],
            "forget the minimum with 1": [2.5, 1.5, 1 / 3],
            "decide instead of giving a probability": [1.0, 1.0, 0.0],
        },
    )
    close(float(fn(_t(0.0, 1.0), _t(0.5, 0.5), 0)), 0.0, "a token with p = 0")
    passed("acceptance_probability")


@visible_check
def residual_distribution(fn: Callable) -> None:
    """The residual of the table, a second pair, and equal distributions."""
    close(
        fn(_t(0.5, 0.3, 0.2), _t(0.2, 0.2, 0.6)),
        _t(0.75, 0.25, 0.0),
        "p = (.5, .3, .2), q = (.2, .2, .6)",
        mistakes={
            "forget to normalise": _t(0.3, 0.1, 0.0),
            "take absolute values": _t(0.375, 0.125, 0.5),
            "return p": _t(0.5, 0.3, 0.2),
            "exchange p and q": _t(0.0, 0.0, 1.0),
        },
    )
    p = _t(0.1, 0.6, 0.3)
    same = fn(p, p.clone())
    if not isinstance(same, torch.Tensor) or same.shape != (3,):
        fail("p = q: return a tensor of shape [V] in this case, too.")
    if not bool((same >= 0).all()) or not abs(float(same.sum()) - 1) < 1e-9:
        fail(f"p = q: return any distribution (0/0 must not become nan), received {same}.")
    passed("residual_distribution")


@visible_check
def speculative_output_distribution(fn: Callable) -> None:
    """The right rules give p; three wrong rules give what they give."""
    p, q = _t(0.5, 0.3, 0.2), _t(0.2, 0.2, 0.6)
    close(
        fn(p, q),
        p,
        "your two rules: the law of the output is p",
        mistakes={
            "forget the mass of the rejections": _t(0.95, 0.45, 0.2),
            "leave the replacements out": _t(0.2, 0.2, 0.2),
        },
    )
    close(
        fn(p, q, None, lambda p, q: p),
        _t(0.40, 0.32, 0.28),
        "replacements drawn from p (the predicted sampler)",
        mistakes={
            "ignore the rule that was given": p,
            "return p, which is only right for the right rules": p,
        },
    )
    close(fn(p, q, lambda p, q, a: 1.0), q, "a rule that accepts everything")
    close(
        fn(p, q, lambda p, q, a: 0.5 if a == 0 else 0.25, lambda p, q: q),
        _t(0.1, 0.05, 0.15) + 0.7 * q,
        "acceptance (.5, .25, .25), replacements drawn from q",
    )

    def never_zero(p: torch.Tensor, q: torch.Tensor, token: int) -> float:
        if not q[token] > 0:
            fail("Your function asks accept() about a token with q = 0, which is never drafted.")
        return (1.0, 0.0, 0.4)[token]

    close(fn(p, _t(0.5, 0.0, 0.5), never_zero), p, "a draft that never proposes token 1")
    passed("speculative_output_distribution")


@visible_check
def speculative_step(fn: Callable) -> None:
    """The table of the text with certain outcomes, then the law of the first token."""
    a, b, c, s, t, u = range(6)
    generator = torch.Generator().manual_seed(0)
    draft: dict[tuple[int, ...], int] = {(): c, (c,): a, (c, a): t, (c, a, t): s}
    stories: dict[tuple[int, ...], dict[tuple[int, ...], int]] = {
        (b,): {(): b},
        (c, u): {(): c, (c,): u},
        (c, a, t, s): {(): c, (c,): a, (c, a): t, (c, a, t): s},
    }
    names = "abcstu"
    for want, target in stories.items():
        got = fn((), _certain(draft), _certain(target), 3, generator)
        word = " ".join(names[i] for i in want)
        equal(
            got,
            list(want),
            f"drafts c a t; the target wants “{word}” ({', '.join(map(str, want))})",
            mistakes={
                "go on after a rejection": [b, a, t] if want == (b,) else [c, u, t],
                "keep a rejected draft": [*want[:-1], draft[want[:-1]]],
                "leave out the bonus token": [c, a, t],
                "leave out the replacement": list(want[:-1]),
            },
        )
    p, q = _t(0.5, 0.3, 0.2), _t(0.2, 0.2, 0.6)
    counts, lengths = torch.zeros(3, dtype=torch.float64), 0
    for _ in range(1500):
        step = fn((4, 2), lambda _: q, lambda _: p, 1, generator)
        counts[step[0]] += 1
        lengths += len(step)
    # One standard error is about 0.013; the bound is more than five of them.
    law = (counts / 1500).tolist()
    if max(abs(x - y) for x, y in zip(law, p.tolist(), strict=True)) > 0.07:
        fail(
            f"The first token of 1,500 steps has frequencies {[round(x, 3) for x in law]}, the "
            "target's law is (.5, .3, .2). Is each decision made with a fresh random number, the "
            "acceptance with p/q, and the replacement drawn from the residual?"
        )
    if abs(lengths / 1500 - 1.6) > 0.07:
        fail(
            f"A step with gamma = 1 has {lengths / 1500:.3f} tokens on average; with alpha = .6 "
            "it should have 1.6. Is there a bonus token after an acceptance, and none otherwise?"
        )
    passed("speculative_step")


def story_llama(after: dict[int, int]) -> LlamaForCausalLM:
    """A Llama whose only layer does nothing: after token u it is sure of token after[u].

    Args:
        after: the next token of every token 0 .. V - 1.
    """
    size = len(after)
    model = LlamaForCausalLM(LlamaConfig(**story_config(size))).eval()
    for weight in model.parameters():
        weight.requires_grad_(False).zero_()
    model.model.norm.weight.fill_(1.0)
    model.model.embed_tokens.weight.copy_(torch.eye(size))
    for token, following in after.items():
        model.lm_head.weight[following, token] = 3.0
    return model


def story_config(size: int) -> dict[str, Any]:
    """The keywords of the config of `story_llama` for a vocabulary of `size` tokens."""
    return {
        "vocab_size": size,
        "hidden_size": size,
        "intermediate_size": 2,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "head_dim": 2,
        "bos_token_id": None,
        "eos_token_id": None,
    }


def _certain(story: dict[tuple[int, ...], int]) -> Callable[[tuple[int, ...]], torch.Tensor]:
    """A model that knows exactly what comes after each prefix, and elsewhere token 0."""

    def fn(prefix: tuple[int, ...]) -> torch.Tensor:
        probs = torch.zeros(6, dtype=torch.float64)
        probs[story.get(tuple(int(token) for token in prefix), 0)] = 1.0
        return probs

    return fn


def _t(*values: float) -> torch.Tensor:
    """A float64 vector, or a 0-d tensor for a single value."""
    return torch.tensor(values if len(values) > 1 else values[0], dtype=torch.float64)


def _ids(got: object, name: str) -> list[list[int]]:
    if not isinstance(got, torch.Tensor) or got.dtype != torch.long or got.ndim != 2:
        fail(f"{name} must return a long tensor [B, P + N], received {got!r}.")
    return got.tolist()


def _token(got: object, name: str) -> int:
    if not isinstance(got, torch.Tensor) or got.dtype != torch.long or got.ndim != 0:
        fail(f"{name} must return a 0-d long tensor for a single distribution, received {got!r}.")
    return int(got)

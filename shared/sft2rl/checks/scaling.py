"""Visible checks of assignment 06: small numbers made by hand, and properties."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from sft2rl.checks import close, equal, fail, passed, visible_check
from sft2rl.parallel import FORKS, TinyLM, collate, gloo_all_reduce, loss_sum, run

SINGLE = 1e-5  # counts and weights may be in float32
MIXTRAL = {
    "vocab_size": 32_000,
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
}


@visible_check
def topk_gates(fn: Callable) -> None:
    """The token of the text, large scores, and a tie."""
    s = _t([[0.0, math.log(6), math.log(2), math.log(3)]])
    close(
        fn(s, 2),
        _t([[0.0, 6 / 9, 0.0, 3 / 9]]),
        "scores ln 1, ln 6, ln 2, ln 3 with k = 2",
        mistakes={
            "take the softmax over all experts and do not renormalise": _t(
                [[0.0, 6 / 12, 0.0, 3 / 12]]
            ),
            "set the losers' scores to 0 (exp 0 = 1 stays in the sum)": _t(
                [[1 / 11, 6 / 11, 1 / 11, 3 / 11]]
            ),
            "choose the smallest scores": _t([[1 / 3, 0.0, 2 / 3, 0.0]]),
        },
    )
    close(fn(_t([[900.0, 0.0, 900.0]]), 2), _t([[0.5, 0.0, 0.5]]), "two scores of 900")
    tied = fn(torch.zeros(2, 4, dtype=torch.float64), 3)
    if (tied > 0).sum(-1).tolist() != [3, 3]:
        fail(f"Four equal scores with k = 3: exactly 3 experts are chosen, received {tied}.")
    passed("topk_gates")


@visible_check
def moe_forward(fn: Callable) -> None:
    """Two tokens with the gates of the text, the rows that experts see, and the graph."""
    seen = []

    def expert(factor: float) -> Callable:
        def f(x: torch.Tensor) -> torch.Tensor:
            if x.ndim != 2 or x.shape[1] != 1:
                fail(f"An expert was called with shape {tuple(x.shape)}; it wants rows [n, 1].")
            seen.append(len(x))
            return factor * x

        return f

    # Scores: token 0 (h = 1) gets ln 3, 0, -9; token 1 (h = 2) gets -9, 0, 0.
    ln3 = math.log(3)
    W_r = _t([[-9 - ln3], [0.0], [9.0]])
    b_r = _t([9 + 2 * ln3, 0.0, -18.0])
    h = _t([[1.0], [2.0]])
    experts = [expert(10.0), expert(100.0), expert(1000.0)]
    close(
        fn(h, W_r, b_r, experts, 2),
        _t([[32.5], [1100.0]]),
        "the two tokens of the text",
        mistakes={
            "forget the gates": _t([[110.0], [2200.0]]),
            "average the chosen experts": _t([[55.0], [1100.0]]),
        },
    )
    if sum(seen) != 4:
        fail(
            f"Two tokens with k = 2 are 4 rows for the experts, but they were given {sum(seen)}: "
            "call an expert with the tokens that chose it and no others."
        )
    W_r = W_r.requires_grad_()
    if not fn(h, W_r, b_r, experts, 2).requires_grad:
        fail("The output must be differentiable in W_r: is there a detach or a no_grad?")
    passed("moe_forward")


@visible_check
def load_balancing_loss(fn: Callable) -> None:
    """The three tokens of the text, a uniform router with k = 2, and the gradient."""
    logits = _t([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7]]).log()
    close(
        fn(logits, 1),
        _t(9.4 / 9),
        "the three tokens of the text (k = 1)",
        mistakes={
            "forget the factor E": _t(4.7 / 9),
            "take f from the probabilities too": _t(2 * (1.7**2 + 1.3**2) / 9),
            "forget to divide f by the number of tokens": _t(9.4 / 3),
        },
        rtol=SINGLE,
    )
    uneven = _t([[2.0, 1.0, 0.0, -1.0], [1.0, 2.0, -1.0, 0.0]])
    both = fn(torch.cat([uneven, uneven.roll(2, dims=1)]), 2)
    close(
        both,
        _t(2.0),
        "a balanced batch of 4 tokens with k = 2",
        mistakes={"divide by k, or take f from the first choice only": _t(1.0)},
        rtol=SINGLE,
    )
    leaf = logits.clone().requires_grad_()
    loss = fn(leaf, 1)
    if not loss.requires_grad:
        fail("The loss must be differentiable through P: is there a detach or a no_grad?")
    (grad,) = torch.autograd.grad(loss, leaf)
    p = logits.exp()
    slope = 2 / 3 * p[:, 0] * p[:, 1] * (2 / 3 - 1 / 3)
    close(grad, torch.stack([slope, -slope], 1), "the gradient: f is a constant", rtol=SINGLE)
    passed("load_balancing_loss")


@visible_check
def active_parameters(fn: Callable) -> None:
    """The small model of the text, with one and with three experts per token, and Mixtral."""
    small = {
        "vocab_size": 10,
        "hidden_size": 4,
        "intermediate_size": 5,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
        "head_dim": 4,
        "num_local_experts": 3,
        "num_experts_per_tok": 1,
    }
    equal(
        fn(dict(small)),
        228,
        "the model of the text",
        mistakes={
            "count all experts": 348,
            "leave out the router": 216,
            "count one row of the router": 220,
            "leave out the output layer": 188,
        },
    )
    equal(fn({**small, "num_experts_per_tok": 3}), 348, "the same with k = 3")
    equal(fn(dict(MIXTRAL)), 12_879_925_248, "Mixtral 8x7B")
    passed("active_parameters")


@visible_check
def shard_batch(fn: Callable) -> None:
    """Seven elements for three ranks, more ranks than elements, and a tensor."""
    equal(
        fn(list("abcdefg"), 3),
        [["a", "b", "c"], ["d", "e"], ["f", "g"]],
        "seven elements for three ranks",
        mistakes={
            "drop the remainder": [["a", "b"], ["c", "d"], ["e", "f"]],
            "give the remainder to the last rank": [["a", "b"], ["c", "d"], ["e", "f", "g"]],
            "deal the elements out one by one": [["a", "d", "g"], ["b", "e"], ["c", "f"]],
        },
    )
    equal(fn([1], 2), [[1], []], "one element for two ranks")
    got = fn(torch.arange(6).reshape(3, 2), 2)
    want = [torch.tensor([[0, 1], [2, 3]]), torch.tensor([[4, 5]])]
    if not isinstance(got, list) or len(got) != 2:
        fail("Return a list with one shard per rank, for a tensor as well.")
    for rank in (0, 1):
        close(got[rank], want[rank], f"a tensor of three rows for two ranks, rank {rank}")
    passed("shard_batch")


@visible_check
def all_reduce_mean(fn: Callable) -> None:
    """The eight tokens of the text, no weights, and a weight of zero."""
    grads = [_t(7.0), _t(1.0)]
    close(
        fn(grads, [7, 1]),
        _t(6.25),
        "seven tokens with gradient 7 and one with gradient 1",
        mistakes={
            "ignore the weights": _t(4.0),
            "forget to divide by the sum of the weights": _t(50.0),
            "divide by the number of ranks": _t(25.0),
        },
    )
    close(fn(grads), _t(4.0), "no weights")
    close(fn(grads, [0, 2.5]), _t(1.0), "a weight of 0")
    matrices = [torch.ones(2, 3), 4 * torch.ones(2, 3)]
    close(fn(matrices, [1, 2]), 3 * torch.ones(2, 3), "two float32 matrices")
    close(matrices[0], torch.ones(2, 3), "the first matrix after the call (do not change it)")
    passed("all_reduce_mean")


@visible_check
def ddp_step(fn: Callable) -> None:
    """Shards of different length against one process: two replicas here, then two processes."""
    shards = [collate(["down the rabbit hole", "bddf"]), collate(["bd"])]
    torch.manual_seed(1)
    start = {name: x.detach().double() for name, x in TinyLM(128, 4).state_dict().items()}
    want, loss = _one_process(start, shards, 0.5)
    for before in ("empty", "full of ones, which must not count,"):
        replicas = [TinyLM.from_state(start) for _ in shards]
        if before != "empty":
            for parameter in (each for model in replicas for each in model.parameters()):
                parameter.grad = torch.ones_like(parameter)
        got = fn(replicas, shards, 0.5)
        for rank, model in enumerate(replicas):
            for name, value in model.state_dict().items():
                what = f"replica {rank} after the step, .grad {before} before it, {name}"
                close(value, want[name], what, rtol=SINGLE)
        close(got, loss, "the returned loss, the mean over all target tokens", rtol=SINGLE)
    calls = []

    def all_reduce(tensors: list, weights: list) -> torch.Tensor:
        calls.append(len(tensors))
        if len(tensors) != 1 or len(weights) != 1:
            fail("all_reduce gets one tensor and one weight per replica of this call.")
        return tensors[0]

    fn([TinyLM.from_state(start)], shards[:1], 0.5, all_reduce)
    if not calls:
        fail("all_reduce was handed over but never called: the other processes would wait.")
    if FORKS:
        for rank, bias in enumerate(run(2, _one_rank, fn, start, shards)):
            what = f"two gloo processes, rank {rank}, head.bias after the step"
            close(bias, want["head.bias"], what, rtol=SINGLE)
    passed("ddp_step")


def _one_rank(rank: int, fn: Callable, start: dict, shards: list) -> torch.Tensor:
    model = TinyLM.from_state(start)
    fn([model], [shards[rank]], 0.5, gloo_all_reduce)
    return model.head.bias.detach()


def _one_process(start: dict, shards: list, lr: float) -> tuple[dict, float]:
    """Parameters after a step on the summed loss of all shards, and the mean loss."""
    model = TinyLM.from_state(start)
    totals, counts = zip(*(loss_sum(model, shard) for shard in shards), strict=True)
    loss = torch.stack(totals).sum() / sum(counts)
    loss.backward()
    state = {}
    for name, parameter in model.named_parameters():
        moved = parameter.detach().clone()
        state[name] = moved if parameter.grad is None else moved - lr * parameter.grad
    return state, float(loss.detach())


@visible_check
def ring_allreduce_bytes(fn: Callable) -> None:
    """The bytes counted above, a single rank, and a tensor that does not come out even."""
    for N, want in ((2, 48), (3, 64), (4, 72), (1, 0)):
        close(
            float(fn(N, 48)),
            float(want),
            f"48 bytes, {N} ranks",
            mistakes={
                "count all ranks together": float(want * N),
                "count one of the two phases": want / 2,
                "forget that a rank does not send its last chunk": 96.0,
            },
        )
    close(float(fn(3, 100)), 400 / 3, "100 bytes, 3 ranks: not rounded")
    passed("ring_allreduce_bytes")


def _t(value: object) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)

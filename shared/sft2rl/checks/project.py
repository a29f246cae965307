"""Visible checks of the project: worked numbers, properties, and a look at the files handed in."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from sft2rl.checks import close, equal, fail, passed, raises, visible_check

F64 = torch.float64


def _tensor(*values: Any) -> torch.Tensor:
    return torch.tensor(values, dtype=F64)


def _gradient(fn: Callable[[], torch.Tensor], leaf: torch.Tensor, what: str) -> torch.Tensor:
    """Gradient of a scalar in one leaf, or a sentence about why there is none."""
    value = fn()
    if not isinstance(value, torch.Tensor) or not value.requires_grad:
        fail(f"{what}: no gradient arrives. Did you detach, or convert to a float?")
    (grad,) = torch.autograd.grad(value, leaf, allow_unused=True)
    if grad is None:
        fail(f"{what}: the result does not depend on it.")
    return grad


def _constant(loss: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """The reference gets no gradient, even if its log-probabilities ask for one."""
    ref = _tensor(-5.0).requires_grad_()
    (grad,) = torch.autograd.grad(loss(ref), ref, allow_unused=True)
    if grad is not None and bool(grad.any()):
        fail("A gradient arrives at the reference: it is a constant, so detach its logps.")


@visible_check
def reward_model_loss(fn):
    """Worked numbers, extreme gaps, the gradient."""
    got = fn(_tensor(3, 0), _tensor(1, 1))
    costs = [math.log1p(math.exp(-2)), math.log1p(math.exp(1))]
    close(
        got,
        torch.tensor(sum(costs) / 2, dtype=F64),
        "gaps of 2 and -1",
        mistakes={
            "add the votes instead of averaging": torch.tensor(sum(costs), dtype=F64),
            "exchange chosen and rejected": torch.tensor(
                (math.log1p(math.exp(2)) + math.log1p(math.exp(-1))) / 2, dtype=F64
            ),
        },
    )
    far = fn(_tensor(1000, -1000), _tensor(0, 0))
    close(far, torch.tensor(500.0, dtype=F64), "gaps of 1000 and -1000")
    leaf = _tensor(-1000.0).requires_grad_()
    grad = _gradient(lambda: fn(leaf, _tensor(0)), leaf, "the gradient at a gap of -1000")
    close(grad, _tensor(-1), "the gradient at a gap of -1000")
    passed("reward_model_loss")


class _Scripted(torch.nn.Module):
    """A model whose logits are given; it notes what it was called with."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(logits)
        self.masks: list[torch.Tensor | None] = []

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> SimpleNamespace:
        self.masks.append(attention_mask)
        return SimpleNamespace(logits=self.logits)


def _scripted() -> tuple[_Scripted, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two rows; position t predicts the right token with probability (t + 1) / 10."""
    input_ids = torch.tensor([[3, 2, 1, 0], [2, 3, 3, 1]])
    completion_mask = torch.tensor([[0, 1, 1, 0], [0, 0, 1, 1]])
    attention_mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]])
    probs = torch.zeros(2, 4, 4, dtype=F64)
    for row in range(2):
        for t in range(4):
            token = int(input_ids[row, (t + 1) % 4])
            probs[row, t] = (1 - (t + 1) / 10) / 3
            probs[row, t, token] = (t + 1) / 10
    probs[0, 2] = _tensor(0, 0.5, 0.25, 0.25)  # the padding token after it is impossible
    # Logits are log-probabilities up to a constant at each position.
    return _Scripted(probs.log() + 1), input_ids, attention_mask, completion_mask


@visible_check
def completion_logps(fn):
    """Two rows with known probabilities; the padding token is impossible."""
    model, input_ids, attention_mask, completion_mask = _scripted()
    got = fn(model, input_ids, attention_mask, completion_mask)
    want = _tensor(math.log(0.1 * 0.2), math.log(0.2 * 0.3))
    if isinstance(got, torch.Tensor) and bool(got.detach().isnan().any()):
        fail("A value is not a number: 0 * -inf. Choose the counted tokens, do not multiply.")
    close(
        got,
        want,
        "two completions of two tokens",
        mistakes={
            "average over the tokens": want / 2,
            "leave out the end of the sequence": _tensor(math.log(0.1), math.log(0.2)),
            "take the logits for log-probabilities": want + 2,
            "forget the sign, or return a loss": -want,
            "shift the tokens but not completion_mask": _tensor(-math.inf, math.log(0.3)),
        },
    )
    if not model.masks or model.masks[0] is None:
        fail("Hand attention_mask to the model: it has to know what is padding.")
    value = got.sum()
    if not value.requires_grad:
        fail("The result carries no gradient. Is there a no_grad, a detach or an .item()?")
    value.backward()
    if not bool(model.logits.grad.isfinite().all()):
        fail("The gradient is not finite. Choose the counted tokens before you sum.")
    passed("completion_logps")


@visible_check
def dpo_loss(fn):
    """ln 2 at the start, a worked number, extremes."""
    zeros = torch.zeros(3, dtype=F64)
    start = fn(zeros - 5, zeros - 7, zeros - 5, zeros - 7, 0.3)
    close(
        start,
        torch.tensor(math.log(2), dtype=F64),
        "policy equal to the reference, three pairs",
        mistakes={
            "add the pairs instead of averaging": torch.tensor(3 * math.log(2), dtype=F64),
            "return the log-likelihood instead of a loss": torch.tensor(-math.log(2), dtype=F64),
            "forget the reference": torch.tensor(math.log1p(math.exp(-0.6)), dtype=F64),
        },
    )
    got = fn(_tensor(-4), _tensor(-9), _tensor(-5), _tensor(-8), 0.5)
    close(
        got,
        torch.tensor(math.log1p(math.exp(-1)), dtype=F64),
        "log-ratios 1 and -1, beta 0.5",
        mistakes={
            "exchange chosen and rejected": torch.tensor(math.log1p(math.exp(1)), dtype=F64),
            "forget beta": torch.tensor(math.log1p(math.exp(-2)), dtype=F64),
            "forget the reference": torch.tensor(math.log1p(math.exp(-2.5)), dtype=F64),
        },
    )
    _constant(lambda ref: fn(_tensor(-4).requires_grad_(), _tensor(-9), ref, _tensor(-8), 0.5))
    leaf = _tensor(-3000.0).requires_grad_()
    grad = _gradient(
        lambda: fn(leaf, _tensor(0), _tensor(0), _tensor(0), 0.5), leaf, "a margin of -1500"
    )
    close(grad, _tensor(-0.5), "the gradient at a margin of -1500")
    passed("dpo_loss")


@visible_check
def pg_loss(fn):
    """The coefficients of the worked example, off the reference and with three completions."""
    rewards, zeros = _tensor([3, 1]), torch.zeros(1, 2, dtype=F64)
    for baseline, coefficients in ((None, [3, 1]), (2.0, [1, -1]), ("loo", [2, -2])):
        leaf = torch.zeros(1, 2, dtype=F64, requires_grad=True)
        grad = _gradient(
            lambda leaf=leaf, b=baseline: fn(leaf, zeros, rewards, 0.5, b),
            leaf,
            f"baseline {baseline!r}",
        )
        close(
            grad,
            -_tensor(coefficients) / 2,
            f"gradient of the loss, baseline {baseline!r}, rewards 3 and 1",
            mistakes={
                "return an objective to maximise instead of a loss": _tensor(coefficients) / 2,
                "add the completions instead of averaging": -_tensor(coefficients),
            },
        )
    leaf = torch.zeros(1, 2, dtype=F64, requires_grad=True)
    grad = _gradient(
        lambda: fn(leaf, zeros, rewards, 0.5, _tensor([2, 0])), leaf, "a tensor as the baseline"
    )
    close(grad, -_tensor([1, 1]) / 2, "gradient, rewards 3 and 1, baseline a tensor [[2, 0]]")
    leaf = _tensor([1.0, 0.0, -1.0]).requires_grad_()
    args = (torch.zeros(1, 3, dtype=F64), _tensor([3, 1, 2]), 0.5)
    grad = _gradient(lambda: fn(leaf, *args, "loo"), leaf, "leave-one-out with K = 3")
    # Regularised rewards 2.5, 1, 2.5; each minus the mean of the other two.
    close(
        grad,
        -_tensor([0.75, -1.5, 0.75]) / 3,
        "gradient, leave-one-out, K = 3, off the start",
        mistakes={
            "leave the coefficient attached": _tensor([0, 0.5, -0.5]),
            "count a completion's own reward in its baseline": -_tensor([0.5, -1, 0.5]) / 3,
            "take the mean of the others' R, without their KL term": -_tensor([1, -1.5, 0.5]) / 3,
            "leave out the KL term": -_tensor([1.5, -1.5, 0]) / 3,
            "add the KL term instead of subtracting it": -_tensor([2.25, -1.5, -0.75]) / 3,
        },
    )
    _constant(lambda ref: fn(_tensor([0.0]).requires_grad_(), ref[None], _tensor([3]), 0.5))
    one = torch.zeros(2, 1, dtype=F64)
    raises(ValueError, fn, one, one, one, 0.5, "loo", what="leave-one-out with K = 1")
    passed("pg_loss")


@visible_check
def copg_loss(fn):
    """Zero at the start, a worked number, the gradient there."""
    one, zero = _tensor(1), _tensor(0)
    start = fn(zero - 4, zero - 6, zero - 4, zero - 6, one * 3, one, 0.5)
    if not isinstance(start, torch.Tensor) or abs(float(start)) > 1e-12:
        fail(f"Where the policy is the reference, the loss is 0 for every pair; received {start}.")
    leaf = _tensor(0.6).requires_grad_()
    got = fn(leaf, _tensor(-0.4), zero, zero, one * 3, one * 2, 0.5)
    close(
        got.detach(),
        torch.tensor(-0.75, dtype=F64),
        "reward gap 1, log-ratio gap 1, beta 0.5",
        mistakes={
            "return the objective instead of the loss": torch.tensor(0.75, dtype=F64),
            "use beta instead of beta / 2": torch.tensor(-0.5, dtype=F64),
        },
    )
    grad = _gradient(
        lambda: fn(leaf, _tensor(-0.4), zero, zero, one * 3, one * 2, 0.5), leaf, "its gradient"
    )
    close(
        grad,
        _tensor(-0.5),
        "the gradient of that loss",
        mistakes={"detach the first factor": _tensor(-0.75)},
    )
    two = torch.zeros(2, dtype=F64)
    other = _tensor(-0.4, -0.4).requires_grad_()
    grad = _gradient(lambda: fn(two + 0.6, other, two, two, two + 3, two + 2, 0.5), other, "logps2")
    close(
        grad,
        _tensor(0.25, 0.25),
        "the gradient in the second completions of two pairs",
        mistakes={"add the pairs instead of averaging": _tensor(0.5, 0.5)},
    )
    _constant(lambda ref: fn(leaf, _tensor(-0.4), ref, zero, one * 3, one * 2, 0.5))
    passed("copg_loss")


class _Bigram(torch.nn.Module):
    """Logits from the current token alone, and dropout that must stay off.

    They are 4 times the table, so that the gradients are longer than 1 and have to be clipped.
    """

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(5)
        self.table = torch.nn.Parameter(torch.randn(4, 4, generator=generator, dtype=F64) / 4)
        self.dropout = torch.nn.Dropout(0.5)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> SimpleNamespace:
        return SimpleNamespace(logits=4 * self.dropout(self.table)[input_ids])

    def generate(self, *args: Any, **kwargs: Any) -> None:
        fail("An offline loop does not sample: `generate` was called.")


def _bigram_pairs() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(6)
    input_ids = torch.randint(1, 4, (12, 2, 5), generator=generator)
    completion_mask = torch.ones_like(input_ids)
    completion_mask[..., :2] = 0
    return {
        "input_ids": input_ids,
        "attention_mask": torch.ones_like(input_ids),
        "completion_mask": completion_mask,
        "ref_logps": -3 - torch.rand(12, 2, generator=generator, dtype=F64),
        "rewards": torch.randn(12, 2, generator=generator, dtype=F64),
    }


@visible_check
def train_offline(fn):
    """What a checkpoint holds, two losses of a run, and that a run may be interrupted."""
    pairs, straight = _bigram_pairs(), _Bigram().eval()
    before = copy.deepcopy(pairs)
    seen: list[tuple[int, float]] = []
    options = {"steps": 7, "batch_size": 4, "lr": 0.05, "seed": 3}
    whole = fn(straight, pairs, "sft", 0.5, **options, log=lambda *row: seen.append(row))
    if not isinstance(whole, dict) or set(whole) != {"step", "model", "optimizer", "losses"}:
        fail("The checkpoint is a dict with the keys step, model, optimizer and losses.")
    if straight.training:
        fail("The model is in training mode: dropout would be on. Leave it in evaluation mode.")
    equal(whole["step"], 7, "the number of steps done")
    equal(len(whole["losses"]), 7, "the number of losses")
    equal([step for step, _ in seen], list(range(7)), "the steps that log was called with")
    if any(not torch.equal(pairs[name], before[name]) for name in pairs):
        fail("The pairs were changed.")
    _same_run(whole["losses"])
    broken = _Bigram().eval()
    half = fn(broken, pairs, "sft", 0.5, **options, stop=3)
    equal(half["step"], 3, "the number of steps done with stop=3")
    kept = copy.deepcopy(half)
    _same(half["losses"], whole["losses"][:3], "the first losses of a run with stop=3")
    fresh = _Bigram().eval()
    rest = fn(fresh, pairs, "sft", 0.5, **options, checkpoint=half)
    equal(len(rest["losses"]), 7, "the number of losses after resuming")
    close(
        rest["model"]["table"],
        whole["model"]["table"],
        "the weights of a run that was interrupted after step 3, against one that was not",
    )
    if not _same_state(half["optimizer"], kept["optimizer"]):
        fail("Resuming changed the checkpoint's optimiser state: load a deep copy of it.")
    fn(broken, pairs, "sft", 0.5, **options, checkpoint=half, stop=5)
    if not torch.equal(half["model"]["table"], kept["model"]["table"]):
        fail("The checkpoint's weights changed later: return a copy of the state dict.")
    equal(half["losses"], kept["losses"], "the losses of a checkpoint after it was resumed")
    beyond = fn(_Bigram().eval(), pairs, "sft", 0.5, **options, stop=9)
    equal(beyond["step"], 7, "the number of steps done with steps=7 and stop=9")
    passed("train_offline")


def _same_run(losses: list[float]) -> None:
    """The first loss, which shows the rows, and the last one, which shows the steps before it."""
    close(
        losses[0],
        4.3204415978469,
        "the loss of step 0 (SFT, seed=3), before anything was learnt",
        mistakes={
            "ignore the seed: hand it to batch_rows": 4.2584731293063,
            "take the first rows in every step: ask batch_rows": 4.2687539447516,
            "mix up the two completions of a pair": 4.0385989811453,
        },
        rtol=1e-5,
    )
    close(
        losses[-1],
        3.4563994421241,
        "the loss of step 6, after six steps (gradients zeroed and clipped, learning rate, Adam)",
        mistakes={
            "do not clip the gradients before the step: clip their norm to 1": 3.4575140288201,
            "clip every entry of the gradients: it is their norm that is clipped": 3.447361374634,
            "never change the learning rate: it is lr * lr_factor(step, steps)": 3.1720984136343,
            "take the learning rate of the next step: steps count from 0": 3.3664340220966,
            "add up the gradients of all steps: zero them before each backward": 3.4281072180935,
            "leave Adam's betas at their defaults: they are (0.9, 0.99) here": 3.4566346733063,
            "take steps of plain descent: the optimiser is Adam": 3.7304669956065,
        },
        rtol=1e-5,
    )


def _same(got: list[float], want: list[float], what: str) -> None:
    close(torch.tensor(got, dtype=F64), torch.tensor(want, dtype=F64), what)


def _same_state(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same_state(a[key], b[key]) for key in a)
    return a == b


@visible_check
def evaluate_policy(fn):
    """Three completions, judged by hand."""
    policy, input_ids, attention_mask, completion_mask = _scripted()
    reference = _Scripted(torch.zeros_like(policy.logits))
    rewards, ref_rewards = _tensor(2.0, 1.0), _tensor(0.5, 1.0)
    masks = (attention_mask, completion_mask)
    got = fn(policy, reference, input_ids, *masks, rewards, ref_rewards, 0.4)
    keys = ["J", "J_se", "kl", "kl_se", "reward", "reward_se", "win_rate", "win_rate_se"]
    equal(sorted(got) if isinstance(got, dict) else got, keys, "the names of the figures")
    if any(not isinstance(value, float) for value in got.values()):
        fail("The figures are Python floats: use .item().")

    def divergence(p: float) -> float:
        rest = 1 - p
        return p * math.log(p * 4) + rest * math.log(rest / 3 * 4)

    kl = [divergence(0.1) + divergence(0.2), divergence(0.2) + divergence(0.3)]
    reverse = sum(
        -math.log(4 * p) / 4 - 0.75 * math.log((1 - p) / 3 * 4) for p in (0.1, 0.2, 0.2, 0.3)
    )
    values = [2.0 - 0.4 * kl[0], 1.0 - 0.4 * kl[1]]
    close(float(got["reward"]), 1.5, "the mean reward")
    close(
        float(got["kl"]),
        sum(kl) / 2,
        "the mean KL divergence of a completion",
        mistakes={"average over the tokens": sum(kl) / 4, "exchange the two models": reverse / 2},
        rtol=1e-6,
    )
    close(float(got["J"]), sum(values) / 2, "J", rtol=1e-6)
    close(
        float(got["win_rate"]),
        0.75,
        "one win and one tie",
        mistakes={"count a tie as lost": 0.5, "count a tie as won": 1.0},
    )
    close(
        float(got["reward_se"]),
        0.5,
        "the standard error of rewards 2 and 1",
        mistakes={
            "divide by B instead of B - 1 in the variance": 0.5 / math.sqrt(2),
            "forget the square root of B": 0.5 * math.sqrt(2),
        },
    )
    apart = math.hypot(1.0, 0.4 * (kl[0] - kl[1])) / 2
    close(
        float(got["J_se"]),
        abs(values[0] - values[1]) / 2,
        "the standard error of J",
        mistakes={"take R and KL for independent": apart},
        rtol=1e-6,
    )
    never = torch.zeros_like(policy.logits.detach())
    never[:, :2, 0] = -math.inf
    got = fn(_Scripted(never), reference, input_ids, *masks, rewards, ref_rewards, 0.4)
    if not math.isfinite(float(got["kl"])):
        fail("A token that the policy never draws contributes nothing; 0 * -inf is no number.")
    passed("evaluate_policy")


def _recipe(fn, name: str, extra: tuple[str, ...] = ()) -> None:
    """The settings make sense; says whether the file that is graded is there."""
    recipe = fn()
    wanted = {"beta", "steps", "lr", *extra}
    if not isinstance(recipe, dict) or set(recipe) != wanted:
        fail(f"Return a dict with the keys {', '.join(sorted(wanted))}.")
    if not 0 < recipe["beta"] <= 10 or not 0 < recipe["lr"] <= 0.1:
        fail("beta should lie between 0 and 10, lr between 0 and 0.1.")
    if not isinstance(recipe.get("baseline"), float | int | None):
        fail("baseline is None or a number.")
    if not isinstance(recipe["steps"], int) or not 1 <= recipe["steps"] <= 5000:
        fail("steps is a whole number from 1 to 5000.")
    path = Path(f"{name}.safetensors")
    if path.is_file():
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, will be handed in with the notebook")
    else:
        print(f"{path} is not here yet: run the training cell below. The file is what is graded.")
    passed(name)


@visible_check
def policy_dpo(fn):
    """Settings of the DPO run."""
    _recipe(fn, "policy_dpo")


@visible_check
def policy_pg(fn):
    """Settings of the policy-gradient run."""
    _recipe(fn, "policy_pg", ("baseline",))


@visible_check
def policy_copg(fn):
    """Settings of the CoPG run."""
    _recipe(fn, "policy_copg")

"""Visible checks of assignment 10: small numbers made by hand, and properties."""

from __future__ import annotations

from collections.abc import Callable

import torch

from sft2rl.checks import close, fail, passed, raises, visible_check


@visible_check
def kl_divergence(fn: Callable) -> None:
    """One hand-made pair, both conventions for zeros, and a batch."""
    p, q = _t(0.5, 0.5, 0.0), _t(0.8, 0.1, 0.1)
    close(
        fn(p, q),
        _t(0.5697171415941824),
        "KL of (.5, .5, 0) from (.8, .1, .1)",
        mistakes={
            "do not treat 0 ln 0 as 0": _t(float("nan")),
            "take logarithms to base 2": _t(0.8219280948873623),
            "swap p and q": _t(float("inf")),
        },
    )
    close(fn(q, p), _t(float("inf")), "the other direction: q has mass where p has none")
    close(fn(p, p), _t(0.0), "a distribution and itself, with a zero in both")
    batch = fn(torch.stack([p, p]), torch.stack([q, p]))
    close(batch, torch.stack([fn(p, q), fn(p, p)]), "a batch of two: one value per row")
    passed("kl_divergence")


@visible_check
def kl_estimators(fn: Callable) -> None:
    """The two samples of the text, the exact mean over a small policy, and the graph."""
    ln2 = 0.6931471805599453
    got = fn(_t(-1.0, -1.0), _t(-1.0 - ln2, -1.0 + ln2))
    if not isinstance(got, tuple) or len(got) != 3:
        fail("Return the tuple (k1, k2, k3).")
    want = (_t(ln2, -ln2), _t(0.2402265069591007, 0.2402265069591007))
    close(got[0], want[0], "k1 at log-ratios ln 2 and -ln 2")
    close(got[1], want[1], "k2 at log-ratios ln 2 and -ln 2")
    close(
        got[2],
        _t(0.1931471805599453, 0.3068528194400547),
        "k3 at log-ratios ln 2 and -ln 2",
        mistakes={
            "invert the ratio: with samples from pi it is exp(-delta)": _t(
                0.3068528194400547, 0.1931471805599453
            )
        },
    )
    logp = _t(-0.5, -1.2).requires_grad_()
    k3 = fn(logp, _t(-0.7, -0.2))[2]
    if not k3.requires_grad:
        fail("The estimators must keep the graph: is there a detach or a no_grad?")
    passed("kl_estimators")


@visible_check
def sequence_kl(fn: Callable) -> None:
    """Two coins per row, with prompt and padding, and a pair of extreme logits."""
    ln = torch.tensor([[0.5, 0.5], [0.9, 0.1]], dtype=torch.float64).log()
    ref_ln = torch.tensor([[0.8, 0.2], [0.5, 0.5]], dtype=torch.float64).log()
    logits, ref_logits = torch.stack([ln, ln]), torch.stack([ref_ln, ref_ln])
    first, second = 0.22314355131420976, 0.3680642071684971
    close(
        fn(logits, ref_logits, torch.tensor([[1.0, 1.0], [0.0, 1.0]], dtype=torch.float64)),
        _t(first + second, second),
        "the two coins of the text, then only the second one",
        mistakes={
            "average over the tokens": _t((first + second) / 2, second),
            "ignore the mask": _t(first + second, first + second),
            "sum over the batch too": _t(first + 2 * second),
        },
    )
    far = torch.tensor([[[0.0, 2000.0]]], dtype=torch.float64)
    close(
        fn(far, far.flip(-1), torch.tensor([[True]])),
        _t(2000.0).reshape(1),
        "logits 2000 apart (log of softmax would underflow)",
    )
    leaf = far.clone().requires_grad_()
    if not fn(leaf, far.flip(-1), torch.tensor([[True]])).requires_grad:
        fail("The result must be differentiable in the logits: is there a detach or a no_grad?")
    passed("sequence_kl")


@visible_check
def regularized_reward(fn: Callable) -> None:
    """The sample of the text and a second one that the reference likes better."""
    R, logp, ref_logp = _t(2.0, 2.0), _t(-3.0, -5.0), _t(-5.0, -3.0)
    close(
        fn(R, logp, ref_logp, 0.5),
        _t(1.0, 3.0),
        "R = 2, beta = .5, log-ratios +2 and -2",
        mistakes={
            "add the penalty": _t(3.0, 1.0),
            "multiply the reward by beta": _t(-1.0, 3.0),
            "forget beta": _t(0.0, 4.0),
        },
    )
    if not fn(R, logp.clone().requires_grad_(), ref_logp, 0.5).requires_grad:
        fail("R_beta must stay differentiable in logp: nothing is detached here.")
    passed("regularized_reward")


@visible_check
def policy_gradient_exact(fn: Callable) -> None:
    """The slopes printed in the text, and two properties."""
    theta, R, ref = _t(0.0, 0.5, -0.5), _t(3.0, 1.0, -2.0), _t(0.5, 0.25, 0.25)
    got = fn(theta, R, ref, 0.5)
    want = _t(0.6957145630685825, -0.1680742089427664, -0.5276403541258161)
    close(
        got,
        want,
        "the worked example",
        mistakes={
            "return the gradient of a loss (downhill)": -want,
            "average over the outcomes as well": want / 3,
            "leave the KL out of the reward": fn(theta, R, ref, 0.0),
        },
    )
    close(fn(theta + 7.0, R, ref, 0.5), want, "7 added to every logit: same policy")
    best = ref.log() + R / 0.5
    if fn(best, R, ref, 0.5).abs().max() > 1e-12:
        fail("At pi* = pi_ref exp(R / beta) / Z the gradient is zero; yours is not.")
    if theta.requires_grad or fn(theta.clone().requires_grad_(), R, ref, 0.5).requires_grad:
        fail("Return a number without graph (detach), and leave theta's requires_grad alone.")
    passed("policy_gradient_exact")


@visible_check
def reinforce_surrogate(fn: Callable) -> None:
    """The derivative with respect to the two logps of the text."""
    logps, ref_logps = _t(-3.0, -1.0).requires_grad_(), _t(-5.0, -1.0)
    loss = fn(logps, ref_logps, _t(2.0, 0.0), 0.5)
    if not isinstance(loss, torch.Tensor) or loss.ndim != 0:
        fail("Return a 0-d tensor: one scalar for the whole batch.")
    if not loss.requires_grad:
        fail("The surrogate has no graph: detach the coefficient, not the logps.")
    (grad,) = torch.autograd.grad(loss, logps)
    close(
        grad,
        _t(-0.5, 0.0),
        "derivative of the surrogate with respect to logps",
        mistakes={
            "leave the coefficient attached to the logps": _t(-1.25, -0.25),
            "leave the coefficient attached to a ratio": _t(-0.25, 0.25),
            "have the sign of a gain: this is minimised": _t(0.5, 0.0),
            "sum over the batch instead of averaging": _t(-1.0, 0.0),
        },
    )
    passed("reinforce_surrogate")


@visible_check
def expected_estimator(fn: Callable) -> None:
    """Probabilities of tuples, the true gradient, and an estimator that cares about order."""
    p, A = _t(0.2, 0.5, 0.3), _t(3.0, 1.0, -2.0)
    close(fn(p, A, 2, lambda r, s: _t(1.0)), _t(1.0), "the weights of all tuples sum to one")
    close(
        fn(p, A, 1, lambda r, s: r @ s),
        _t(0.5, 0.25, -0.75),
        "K = 1: the mean of A(y) (e_y - p)",
    )
    close(
        fn(p, A, 2, lambda r, s: r[0] * r[1] ** 2),
        _t(1.75),
        "K = 2, mean of A(y1) A(y2)^2 (it depends on the order)",
        mistakes={"give every tuple the same weight": _t(28 / 9)},
    )
    passed("expected_estimator")


@visible_check
def loo_baseline(fn: Callable) -> None:
    """The group of the text, a pair, and a single sample."""
    close(
        fn(torch.tensor([[4.0, 2.0, 1.0, 1.0], [0.0, 0.0, 3.0, 6.0]], dtype=torch.float64)),
        torch.tensor([[4 / 3, 2.0, 7 / 3, 7 / 3], [3.0, 3.0, 2.0, 1.0]], dtype=torch.float64),
        "two prompts, four samples each",
        mistakes={
            "keep the own reward in the mean": torch.tensor(
                [[2.0] * 4, [2.25] * 4], dtype=torch.float64
            ),
            "divide by K instead of K - 1": torch.tensor(
                [[1.0, 1.5, 1.75, 1.75], [2.25, 2.25, 1.5, 0.75]], dtype=torch.float64
            ),
        },
    )
    pair = torch.tensor([[5.0, -1.0]], dtype=torch.float64)
    close(fn(pair), pair.flip(1), "K = 2: each sample's baseline is the other's reward")
    raises(ValueError, fn, pair[:, :1], what="K = 1 has no other sample")
    passed("loo_baseline")


@visible_check
def rloo_advantages(fn: Callable) -> None:
    """One group whose regularised rewards are (4, 2, 1, 1)."""
    logps = torch.tensor([[-1.0, -2.0, -3.0, -4.0]], dtype=torch.float64).requires_grad_()
    ref_logps = torch.tensor([[-2.0, -1.0, -3.0, -2.0]], dtype=torch.float64)
    rewards = torch.tensor([[4.5, 1.5, 1.0, 0.0]], dtype=torch.float64)
    got = fn(rewards, logps, ref_logps, 0.5)
    close(
        got,
        torch.tensor([[8 / 3, 0.0, -4 / 3, -4 / 3]], dtype=torch.float64),
        "beta = .5, regularised rewards (4, 2, 1, 1)",
        mistakes={
            "use the group mean as baseline": torch.tensor(
                [[2.0, 0.0, -1.0, -1.0]], dtype=torch.float64
            ),
            "leave the KL out": torch.tensor([[11 / 3, -1 / 3, -1.0, -7 / 3]], dtype=torch.float64),
        },
    )
    if got.requires_grad:
        fail("The advantages still carry a graph: they are numbers, detach them.")
    passed("rloo_advantages")


@visible_check
def rloo_gradient(fn: Callable) -> None:
    """The mean over all pairs of samples, and a pair of equal samples."""
    theta, R, ref = _t(0.0, 0.5, -0.5), _t(3.0, 1.0, -2.0), _t(0.5, 0.25, 0.25)
    pi = theta.softmax(0)
    mean = torch.zeros(3, dtype=torch.float64)
    for i in range(3):
        for j in range(3):
            mean = mean + pi[i] * pi[j] * fn(theta, torch.tensor([i, j]), R, ref, 0.5)
    true = _t(0.6957145630685825, -0.1680742089427664, -0.5276403541258161)
    close(
        mean,
        true,
        "mean over all pairs, against the gradient of J of section 4",
        mistakes={
            "use the group mean as baseline": true / 2,
            "sum over the samples (forget 1/K)": 2 * true,
            "leave the KL out of the reward": pi * (R - pi @ R),
            "return a loss's gradient (downhill)": -true,
        },
    )
    equal_samples = fn(theta, torch.tensor([1, 1, 1]), R, ref, 0.5)
    if not equal_samples.abs().max() < 1e-12:
        fail("Three equal samples have advantages 0, so the estimate is 0; yours is not.")
    with_graph = fn(theta.clone().requires_grad_(), torch.tensor([0, 1]), R, ref, 0.5)
    if theta.requires_grad or with_graph.requires_grad:
        fail("Return a number without graph (detach), and leave theta's requires_grad alone.")
    passed("rloo_gradient")


@visible_check
def optimal_baseline_scalar(fn: Callable) -> None:
    """The variance at your b, and a little to both sides."""
    p, A, g = _t(0.2, 0.5, 0.3), _t(3.0, 1.0, -2.0), _t(1.0, -0.4, 0.0)
    b = fn(p, A, g)
    if not isinstance(b, torch.Tensor) or b.ndim != 0 or b.dtype != torch.float64:
        fail("Return a 0-d float64 tensor.")
    _lowest(lambda b: _trace(p, A, g[:, None], b), float(b))
    passed("optimal_baseline_scalar")


@visible_check
def optimal_baseline_vector(fn: Callable) -> None:
    """The number of the text, and the trace of the covariance around your b."""
    p, A = _t(0.2, 0.5, 0.3), _t(3.0, 1.0, -1.0)
    G = torch.eye(3, dtype=torch.float64) - p
    b = fn(p, A, G)
    if not isinstance(b, torch.Tensor) or b.ndim != 0 or b.dtype != torch.float64:
        fail("Return a 0-d float64 tensor: one baseline for all coordinates.")
    _lowest(lambda b: _trace(p, A, G, b), float(b))
    close(b, _t(0.8774), "softmax scores at p = (.2, .5, .3), A = (3, 1, -1)", rtol=1e-4)
    passed("optimal_baseline_vector")


@visible_check
def rloo_bias_without_replacement(fn: Callable) -> None:
    """Three equally likely outcomes: half the gradient too much; and too many samples."""
    p, A = torch.full((3,), 1 / 3, dtype=torch.float64), _t(3.0, 1.0, -2.0)
    true = _t(7 / 9, 1 / 9, -8 / 9)
    close(
        fn(p, A, 2),
        true / 2,
        "three equally likely outcomes, K = 2",
        mistakes={
            "return the mean instead of the bias": 1.5 * true,
            "claim that exchangeable samples leave no bias": 0 * true,
            "subtract the mean from the gradient": -true / 2,
            "forget the 1/K": 2 * true,
        },
    )
    close(
        fn(_t(0.2, 0.5, 0.3), A, 2),
        _t(127 / 560, 11 / 56, -237 / 560),
        "p = (.2, .5, .3), K = 2",
        mistakes={"forget to divide by the mass that is left": torch.zeros(3, dtype=torch.float64)},
    )
    raises(ValueError, fn, p, A, 4, what="four different samples of three outcomes")
    passed("rloo_bias_without_replacement")


def _t(*values: float) -> torch.Tensor:
    """A float64 vector, or a 0-d tensor for a single value."""
    return torch.tensor(values if len(values) > 1 else values[0], dtype=torch.float64)


def _trace(p: torch.Tensor, A: torch.Tensor, G: torch.Tensor, b: float) -> float:
    """Trace of the covariance of (A - b) g."""
    x = (A - b)[:, None] * G
    return float((p[:, None] * x**2).sum() - ((p[:, None] * x).sum(0) ** 2).sum())


def _lowest(variance: Callable[[float], float], b: float) -> None:
    """Fail if the variance is lower a little to the left or to the right of b."""
    here = variance(b)
    for step, side in ((-0.01, "left"), (0.01, "right")):
        if not here < variance(b + step):
            fail(
                f"At your b = {b:.4f} the variance is {here:.6f}, but a little to the {side} it is "
                f"{variance(b + step):.6f}: this is not the bottom of the parabola."
            )

"""Sections 4 and 5 of 10_rloo. The objective, its exact gradient, and the loss for it."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, bandit, softmax_scores

# regularized_reward


@exercise("regularized_reward")
def test_the_penalty_is_beta_times_the_log_ratio(student: Student, draw: Draw):
    """Completions that the policy likes more, and less, than the reference does."""
    R, logp = draw.normal(5), -draw.uniform(2, 9, 5)
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0], dtype=DOUBLE)
    ref_logp = logp - signs * draw.uniform(0.5, 2.0, 5)
    beta = float(draw.uniform(0.2, 0.7))
    gap = logp - ref_logp
    expect(student.regularized_reward(R, logp, ref_logp, beta)).close(
        R - beta * gap,
        "R_beta = R - beta (ln pi - ln pi_ref), one value per completion.",
        mistakes={
            "The penalty has the wrong sign: moving away from the reference costs.": R + beta * gap,
            "beta multiplies the penalty, not the reward.": beta * R - gap,
            "You forgot beta.": R - gap,
            "You averaged the penalty over the batch: every completion pays its own.":
                R - beta * gap.mean(),
            "You averaged over the batch: return one value per completion.":
                (R - beta * gap).mean(),
            "You divided the log-ratio by a length: log-probabilities are of whole completions.":
                R - beta * gap / 5,
            "The penalty is the log-ratio k1, which may be negative: no absolute value or square.":
                R - beta * gap.abs(),
        },
    )  # fmt: skip


@exercise("regularized_reward")
def test_its_gradient_in_logp_is_minus_beta(student: Student, draw: Draw):
    """Rewards [2, 3]; the derivative with respect to the policy's log-probabilities."""
    R, logp, ref_logp = draw.normal(2, 3), -draw.uniform(1, 4, 2, 3), -draw.uniform(1, 4, 2, 3)
    weights, beta = draw.uniform(0.5, 1.5, 2, 3), float(draw.uniform(0.2, 0.7))
    got = student.grad("regularized_reward", R, logp, ref_logp, beta, wrt=(1,), cotangent=weights)
    expect(got.grads[1]).close(
        -beta * weights,
        "Do not detach here: the derivative of R_beta with respect to logp is -beta.",
    )
    single = student.regularized_reward(R.float(), logp.float(), ref_logp.float(), beta)
    expect(single).close(
        (R - beta * (logp - ref_logp)).float(), "The result has the shape and the dtype of R."
    )


@exercise("regularized_reward")
def test_every_beta_from_zero_up(student: Student, draw: Draw):
    """beta = 0, which leaves the reward alone, a large beta, large rewards and ratios."""
    R, logp, ref_logp = draw.normal(4), -draw.uniform(1, 4, 4), -draw.uniform(5, 8, 4)
    for beta, scale in ((0.0, 1.0), (2.5, 1.0), (60.0, 1.0), (0.5, 300.0)):
        R, logp, ref_logp = scale**2 * R, scale * logp, scale * ref_logp
        expect(student.regularized_reward(R, logp, ref_logp, beta)).close(
            R - beta * (logp - ref_logp),
            "The formula holds for every beta >= 0: with beta = 0 the reward is left as it is, and "
            "a large beta is not capped, nor is a reward or a log-ratio. Long completions have "
            "ratios that no float holds: subtract the logarithms.",
        )


# policy_gradient_exact


def objective(theta: torch.Tensor, R: torch.Tensor, ref: torch.Tensor, beta: float) -> float:
    """J(theta) = E[R] - beta KL."""
    pi = theta.softmax(0)
    return float((pi * R).sum() - beta * (pi * (pi / ref).log()).sum())


def slopes(theta: torch.Tensor, R: torch.Tensor, ref: torch.Tensor, beta: float) -> torch.Tensor:
    """Gradient of J by Richardson-extrapolated central differences: error below 1e-10."""

    def central(h: float) -> torch.Tensor:
        steps = h * torch.eye(len(theta), dtype=DOUBLE)
        pairs = [(objective(theta + s, R, ref, beta), objective(theta - s, R, ref, beta))
                 for s in steps]  # fmt: skip
        return torch.tensor([(up - down) / (2 * h) for up, down in pairs], dtype=DOUBLE)

    return (4 * central(1e-3) - central(2e-3)) / 3


@exercise("policy_gradient_exact", weight=3)
def test_it_is_the_slope_of_the_objective(student: Student, draw: Draw):
    """A policy away from the reference, against differences of J."""
    theta, R, ref, beta = bandit(draw, 5)
    pi = theta.softmax(0)
    scores, h = softmax_scores(pi), (pi / ref).log()
    want = slopes(theta, R, ref, beta)
    expect(student.policy_gradient_exact(theta, R, ref, beta)).close(
        want,
        "The gradient is the sum over y of pi(y) R_beta(y) (e_y - pi).",
        rtol=1e-8,
        mistakes={
            "The sign is that of a loss: this is the gradient of J, uphill.": -want,
            "You forgot the KL penalty: the reward is R_beta.": (pi * R) @ scores,
            "The penalty has the wrong sign.": (pi * (R + beta * h)) @ scores,
            "You forgot beta.": (pi * (R - h)) @ scores,
            "You divided by the number of outcomes: the weights pi already sum to one.": want / 5,
            "You left out the weights pi(y).": (R - beta * h) @ scores,
            "You weighted with the reference: samples come from pi.":
                (ref * (R - beta * h)) @ scores,
            "The score of a softmax is e_y - pi: you left out - pi.": pi * (R - beta * h),
            "Here ref holds probabilities: take their logarithm.":
                (pi * (R - beta * (pi.log() - ref))) @ scores,
        },
    )  # fmt: skip


@exercise("policy_gradient_exact")
def test_without_penalty_and_at_the_optimum(student: Student, draw: Draw):
    """beta = 0, then the policy pi_ref exp(R / beta) / Z where the gradient vanishes."""
    theta, R, ref, beta = bandit(draw, 4)
    pi = theta.softmax(0)
    expect(student.policy_gradient_exact(theta, R, ref, 0.0)).close(
        pi * (R - pi @ R), "With beta = 0 only the reward is left: pi (R - E[R])."
    )
    best = ref.log() + R / beta + float(draw.uniform(-1, 1))
    expect(student.policy_gradient_exact(best, R, ref, beta)).close(
        torch.zeros(4, dtype=DOUBLE),
        "At pi* = pi_ref exp(R / beta) / Z the gradient is zero.",
        rtol=1e-10,
        scale=1.0,
    )


@exercise("policy_gradient_exact")
def test_a_constant_on_all_logits_changes_nothing(student: Student, draw: Draw):
    """The same policy with large logits, and a nearly certain one."""
    theta, R, ref, beta = bandit(draw, 4)
    pi = theta.softmax(0)
    reward = R - beta * (pi / ref).log()
    for shift in (1000.0, -1000.0):
        expect(student.policy_gradient_exact(theta + shift, R, ref, beta)).close(
            pi * (reward - pi @ reward),
            "A constant added to all logits leaves the policy alone; use (log_)softmax.",
        )
    sure = theta * 1000
    got = student.policy_gradient_exact(sure, R, ref, beta)
    expect(got).close(
        torch.zeros(4, dtype=DOUBLE),
        "A policy that is practically certain has a finite gradient, zero: use log_softmax, the "
        "logarithm of an underflowed probability is -inf.",
        rtol=1e-10,
        scale=1.0,
    )


@exercise("policy_gradient_exact")
def test_logits_with_a_graph_give_a_plain_number(student: Student, draw: Draw):
    """Logits that require a gradient: the result must not carry a graph."""
    theta, R, ref, beta = bandit(draw, 4)
    got = student.grad("policy_gradient_exact", theta, R, ref, beta, wrt=(0,),
                       cotangent=torch.ones(4, dtype=DOUBLE))  # fmt: skip
    expect(got.value).close(
        slopes(theta, R, ref, beta),
        "The value must be right for logits that require a gradient.",
        rtol=1e-8,
    )
    expect(got).true(
        not got.requires_grad, "The gradient of J is returned without graph: detach it."
    )


@exercise("policy_gradient_exact")
def test_large_rewards_large_beta_and_tiny_references(student: Student, draw: Draw):
    """Rewards in thousands; a beta of 40; a reference of 1e-12."""
    theta, R, ref = draw.normal(4), draw.normal(4), draw.probs(4)
    rare = torch.cat([torch.tensor([1e-12], dtype=DOUBLE), draw.probs(3) * (1 - 1e-12)])
    for rewards, reference, beta in ((3000 * R, ref, 0.5), (R, ref, 40.0), (R, rare, 0.5)):
        logp = theta.log_softmax(0)
        r_beta = rewards - beta * (logp - reference.log())
        expect(student.policy_gradient_exact(theta, rewards, reference, beta)).close(
            logp.exp() * (r_beta - logp.exp() @ r_beta),
            "Rewards, beta and reference count as they are: no clamp, no cap, no epsilon.",
        )


# reinforce_surrogate


def off_policy(draw: Draw):
    """Four samples with their log-probabilities; nothing makes them typical of the policy."""
    logps, gap = -draw.uniform(1, 6, 4), draw.uniform(0.5, 2.0, 4)
    signs = torch.tensor(draw.shuffled([1.0, -1.0, 1.0, -1.0]), dtype=DOUBLE)
    return logps, logps - signs * gap, draw.normal(4), float(draw.uniform(0.3, 0.8))


@exercise("reinforce_surrogate", weight=3)
def test_each_sample_is_weighted_with_its_regularised_reward(student: Student, draw: Draw):
    """Off-policy samples: the derivative with respect to every log-probability."""
    logps, ref_logps, R, beta = off_policy(draw)
    reward = R - beta * (logps - ref_logps)
    value = student.reinforce_surrogate(logps, ref_logps, R, beta)
    expect(value).tensor((), DOUBLE, "Return one scalar, a 0-d tensor of logps' dtype.")
    got = student.grad("reinforce_surrogate", logps, ref_logps, R, beta, wrt=(0,))
    expect(got.grads[0]).close(
        -reward / 4,
        "The derivative with respect to logps[i] must be -R_beta(y_i) / B.",
        mistakes={
            "The coefficient is not detached: R_beta contains logps, and you differentiate that "
            "copy too.": -(reward - beta * logps) / 4,
            "The coefficient is not detached: next to a ratio this adds beta, which cancels "
            "on-policy only.": -(reward - beta) / 4,
            "You added the penalty to the loss as well: it is already in the reward.":
                -(reward - 2 * beta) / 4,
            "The sign is wrong: the surrogate is minimised.": reward / 4,
            "You summed over the batch: take the mean.": -reward,
            "You forgot the KL penalty: the coefficient is R_beta.": -R / 4,
            "The penalty has the wrong sign.": -(R + beta * (logps - ref_logps)) / 4,
            "You forgot beta.": -(R - (logps - ref_logps)) / 4,
            "You subtracted a baseline: none was asked for here.":
                -(reward - reward.mean()) / 4,
            "You differentiated only the reward: the logps need a graph of their own.":
                torch.full((4,), beta / 4, dtype=DOUBLE),
        },
    )  # fmt: skip


@exercise("reinforce_surrogate")
def test_on_a_representative_batch_it_gives_the_policy_gradient(student: Student, draw: Draw):
    """Every outcome as often as the policy says, then the chain rule through the scores."""
    counts = torch.tensor(draw.shuffled([1, 2, 4]))
    pi, ref = counts.double() / 7, draw.probs(3)
    R, beta = torch.tensor(draw.shuffled([2.0, -1.0, 0.5]), dtype=DOUBLE), 0.4
    y = torch.repeat_interleave(torch.arange(3), counts)
    got = student.grad("reinforce_surrogate", pi.log()[y], ref.log()[y], R[y], beta, wrt=(0,))
    expect(got.grads[0]).tensor((7,), DOUBLE, "The gradient must reach every entry of logps.")
    expect(got.grads[0] @ softmax_scores(pi)[y]).close(
        -slopes(pi.log(), R, ref, beta),
        "On a batch that is exactly representative of the policy the gradient must be minus the "
        "gradient of J: mean over samples of -R_beta grad ln pi.",
        rtol=1e-8,
    )


@exercise("reinforce_surrogate")
def test_no_gradient_reaches_reference_or_reward(student: Student, draw: Draw):
    """Reference log-probabilities and rewards that carry a graph."""
    logps, ref_logps, R, beta = off_policy(draw)
    got = student.grad("reinforce_surrogate", logps, ref_logps, R, beta, wrt=(0, 1, 2))
    for position in (1, 2):
        grad = got.grads[position]
        still = grad is None or (isinstance(grad, torch.Tensor) and not bool(grad.any()))
        expect(grad).true(
            still, "Detach the whole coefficient: no gradient may reach ref_logps or R."
        )


@exercise("reinforce_surrogate")
def test_the_mean_counts_every_sample(student: Student, draw: Draw):
    """A batch of one, and a batch with a coefficient of zero and large rewards."""
    for size in (1, 4):
        logps, ref_logps = -draw.uniform(1, 6, size), -draw.uniform(1, 6, size)
        R = torch.tensor([60.0, 0.0, -40.0, 1.0], dtype=DOUBLE)[:size] * draw.uniform(0.9, 1.1)
        ref_logps[1:2] = logps[1:2]
        got = student.grad("reinforce_surrogate", logps, ref_logps, R, 0.5, wrt=(0,))
        expect(got.grads[0]).close(
            -(R - 0.5 * (logps - ref_logps)) / size,
            "Divide by B, the number of all samples, also when B = 1 or when a coefficient is 0; "
            "and do not clip the rewards.",
        )


@exercise("reinforce_surrogate")
def test_long_completions_in_float32(student: Student, draw: Draw):
    """Log-probabilities whose exponential underflows, in float32."""
    logps, ref_logps = -draw.uniform(300.0, 400.0, 3), -draw.uniform(300.0, 400.0, 3)
    R = draw.normal(3)
    logps, ref_logps, R = logps.float(), ref_logps.float(), R.float()
    got = student.grad("reinforce_surrogate", logps, ref_logps, R, 0.5, wrt=(0,))
    expect(got.value).tensor((), torch.float32, "The surrogate has the dtype of logps.")
    want = -(R - 0.5 * (logps - ref_logps)) / 3
    expect(got.grads[0]).close(
        want,
        "The probability of a long completion underflows to 0: stay with logarithms, or "
        "exponentiate a difference of logarithms.",
    )


@exercise("reinforce_surrogate")
def test_large_coefficients_are_not_clipped(student: Student, draw: Draw):
    """Rewards in thousands and log-ratios in hundreds."""
    logps, ref_logps = -draw.uniform(300.0, 400.0, 4), -draw.uniform(500.0, 700.0, 4)
    R = 5000 * draw.normal(4)
    got = student.grad("reinforce_surrogate", logps, ref_logps, R, 3.0, wrt=(0,))
    expect(got.grads[0]).close(
        -(R - 3.0 * (logps - ref_logps)) / 4,
        "The coefficient is R_beta as it is: clip neither rewards nor log-ratios.",
    )

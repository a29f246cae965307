"""Section 4 of 13_shiq. The soft Bellman equation, and what a policy is worth under it."""

import math

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import (
    F64,
    SMALL,
    chain,
    late_and_small,
    path_sum,
    paths,
    small_mdp,
    soft_oracle,
    tensor,
)

# --- soft_value, soft_optimal_policy -------------------------------------------------------------

SOFT = "v = beta ln sum_a pi_ref(a) exp(q(a) / beta)."


@exercise("soft_value", weight=2)
def test_soft_values_of_a_batch(student: Student, draw: Draw):
    """Two batches of states with four actions, a non-uniform reference, beta above and below 1."""
    for beta in (float(draw.uniform(0.3, 0.7)), float(draw.uniform(1.5, 3.0))):
        q, ref = draw.normal(2, 3, 4), draw.probs(2, 3, 4)

        def log_of(x):
            return x.sum(-1).log()

        expect(student.soft_value(q, ref.log(), beta)).close(
            beta * log_of(ref * (q / beta).exp()), SOFT,
            mistakes={
                "pi_ref is missing.": beta * log_of((q / beta).exp()),
                "The beta in front is missing.": log_of(ref * (q / beta).exp()),
                "The 1 / beta inside is missing.": beta * log_of(ref * q.exp()),
                "beta is missing.": log_of(ref * q.exp()),
                "beta is on the wrong side: divide inside, multiply outside.": (
                    log_of(ref * (q * beta).exp()) / beta
                ),
                "This is the maximum.": q.max(-1).values,
                "This is the mean under pi_ref.": (ref * q).sum(-1),
                "pi_ref is counted with its own 1 / beta.": (
                    beta * log_of((ref.log() / beta + q / beta).exp())
                ),
                "The reference's logarithm was used as a probability.": (
                    beta * torch.log((ref.log() * (q / beta).exp()).sum(-1))
                ),
                "This is the mean under the optimal policy, without its KL term.": (
                    ((ref * (q / beta).exp()) / (ref * (q / beta).exp()).sum(-1, keepdim=True) * q)
                    .sum(-1)
                ),
            },
        )  # fmt: skip


@exercise("soft_value")
def test_both_limits_of_the_leash(student: Student, draw: Draw):
    """beta = 1e-5 gives the maximum, beta = 1e5 the mean under the reference."""
    q, ref = torch.tensor(draw.shuffled([0.3, 1.0, 1.6])), draw.probs(3)
    q = q.double()
    expect(student.soft_value(q, ref.log(), 1e-5)).close(
        q.max(), "For beta -> 0 the soft value tends to max q. " + SOFT, rtol=1e-4
    )
    expect(student.soft_value(q, ref.log(), 1e5)).close(
        (ref * q).sum(), "For beta -> infinity it tends to the mean of q. " + SOFT, rtol=1e-4
    )


@exercise("soft_value")
def test_large_numbers_and_impossible_actions(student: Student, draw: Draw):
    """q / beta of plus and minus thousands; ln pi_ref = -inf."""
    q = draw.normal(2, 3) + tensor([0.0, 4.0, 0.0], [4.0, 0.0, 4.0])
    ref = tensor([0.3, 0.0, 0.7], [0.0, 1.0, 0.0])
    want = 0.1 * (ref * (q / 0.1).exp()).sum(-1).log()
    for shift in (tensor(0.0, 0.0), tensor(5000.0, -5000.0), tensor(-5000.0, 5000.0)):
        expect(student.soft_value(q + shift[:, None], ref.log(), 0.1)).close(
            want + shift,
            "q + c gives v + c for any c, and an action with pi_ref = 0 drops out: use logsumexp.",
            rtol=1e-9,
        )
    likely, never = float(draw.uniform(1, 2)), float(draw.uniform(900, 1000))
    expect(student.soft_value(tensor(likely, never), tensor(1.0, 0.0).log(), 1e-8)).close(
        tensor(likely)[0],
        "An action that the reference never takes drops out, however good it is: -inf stays -inf.",
    )


@exercise("soft_value")
def test_its_gradient_is_the_policy(student: Student, draw: Draw):
    """dv / dq for two states, and float32."""
    q, ref = draw.normal(2, 3), draw.probs(2, 3)
    weight = ref * (q / 0.4).exp()
    got = student.grad("soft_value", q, ref.log(), 0.4, wrt=(0,), cotangent=tensor(1.0, 2.0))
    expect(got.grads[0]).close(
        tensor([1.0], [2.0]) * weight / weight.sum(-1, keepdim=True),
        "dv / dq is the optimal policy: keep the graph to q.",
    )
    single = student.soft_value(q.float(), ref.log().float(), 0.4)
    want = (0.4 * weight.sum(-1).log()).float()
    expect(single).close(want, "The result has the dtype of q.")


@exercise("soft_optimal_policy", weight=2)
def test_the_policy_of_a_batch(student: Student, draw: Draw):
    """Five states, four actions, a non-uniform reference."""
    for beta in (float(draw.uniform(0.3, 0.7)), float(draw.uniform(1.5, 3.0))):
        q, ref = draw.normal(5, 4), draw.probs(5, 4)

        def normal(x):
            return x / x.sum(-1, keepdim=True)

        want = normal(ref * (q / beta).exp())
        over_states = ref * (q / beta).exp()
        expect(student.soft_optimal_policy(q, ref.log(), beta)).close(
            want, "pi(a|s) is proportional to pi_ref(a|s) exp(q(s, a) / beta).",
            mistakes={
                "pi_ref is missing.": normal((q / beta).exp()),
                "pi_ref and beta are missing.": normal(q.exp()),
                "1 / beta is missing.": normal(ref * q.exp()),
                "Divide by beta, do not multiply.": normal(ref * (q * beta).exp()),
                "These are logarithms: return probabilities.": want.log(),
                "pi_ref is divided by beta as well.": normal(ref ** (1 / beta) * (q / beta).exp()),
                "Normalise over the actions, not over the states.": (
                    over_states / over_states.sum(0, keepdim=True)
                ),
                "It is not normalised.": over_states,
                "The rows are averaged with the reference.": (want + ref) / 2,
                "This is the greedy policy.": torch.nn.functional.one_hot(q.argmax(-1), 4).double(),
            },
        )  # fmt: skip


@exercise("soft_optimal_policy")
def test_policies_of_large_values_and_impossible_actions(student: Student, draw: Draw):
    """q / beta of thousands; ln pi_ref = -inf; one state without a batch; float32."""
    q = draw.normal(2, 3) + tensor([0.0, 4.0, 0.0], [4.0, 0.0, 4.0])
    ref = tensor([0.3, 0.0, 0.7], [0.0, 1.0, 0.0])
    shift = tensor([4000.0], [-4000.0])
    for beta, c in ((0.02, shift), (0.1, -shift)):
        want = ref * (q / beta).exp()
        want = want / want.sum(-1, keepdim=True)
        expect(student.soft_optimal_policy(q + c, ref.log(), beta)).close(
            want,
            "q + c gives the same policy for any c, and 0 where pi_ref is 0; beta may be small.",
            rtol=1e-8,
        )
    never = tensor(1.0, float(draw.uniform(900, 1000)), 1.0)
    expect(student.soft_optimal_policy(never, tensor(0.3, 0.0, 0.7).log(), 1e-8)).close(
        tensor(0.3, 0.0, 0.7),
        "An action that the reference never takes stays at 0, however good it is.",
        rtol=1e-6,
    )
    single = student.soft_optimal_policy(q[0].float(), ref[0].log().float(), 0.1)
    expect(single).close(want[0].float(), "One state: [A] in, [A] out, in the dtype of q.")


# --- soft_bellman_backup -------------------------------------------------------------------------

BACKUP = "q(s, a) = r(s, a) + gamma v(s'), v the soft value of q, and 0 after the end."

BACKUP_SLIPS = {
    "bootstrap": "You bootstrap after the end: where done, next_state means nothing.",
    "no gamma": "gamma is missing.",
    "gamma on r": "gamma multiplies the next value only, not the reward.",
    "no reward at the end": "The reward of the last step is missing.",
    "no ref": "pi_ref is missing in the soft value.",
    "uniform": "pi_ref is not uniform.",
    "no beta": "The beta in front of the logarithm is missing.",
    "hard": "This is the hard maximum: back up the soft value.",
    "mean": "This is the mean under pi_ref: back up the soft value.",
    "own mean": "The KL term is missing: v is beta ln Z, not the mean of q under pi_*.",
}


def backup_mistakes(mdp, ref, beta, gamma):
    return {text: soft_oracle(mdp, ref, beta, gamma, slip) for slip, text in BACKUP_SLIPS.items()}


def backup(student, mdp, ref, beta, *gamma):
    return student.soft_bellman_backup(
        mdp["reward"], mdp["next_state"], mdp["done"], ref.log(), beta, *gamma
    )


@exercise("soft_bellman_backup", weight=2)
def test_without_discount_it_is_the_sequence_optimum(student: Student, draw: Draw):
    """q(s, a) = beta ln of the sum over all paths of pi_ref exp(R / beta); gamma by default."""
    mdp, ref, beta = small_mdp(draw, 5, 3), draw.probs(5, 3), float(draw.uniform(0.5, 0.8))
    want = torch.zeros(5, 3, dtype=F64)
    for s in range(5):
        for a in range(3):
            want[s, a] = beta * math.log(sum(
                math.prod(float(ref[x, b]) for x, b in path[1:])
                * math.exp(sum(float(mdp["reward"][x, b]) for x, b in path) / beta)
                for path in paths(mdp, s, a)
            ))  # fmt: skip
    mistakes = backup_mistakes(mdp, ref, beta, 1.0)
    expect(backup(student, mdp, ref, beta)).close(want, BACKUP, mistakes, rtol=1e-8)


@exercise("soft_bellman_backup", weight=2)
def test_with_a_discount(student: Student, draw: Draw):
    """Six states, a non-uniform reference, gamma below 1."""
    mdp, ref, beta = small_mdp(draw), draw.probs(6, 3), float(draw.uniform(1.3, 2.0))
    for gamma in (float(draw.uniform(0.4, 0.8)), 0.0):
        want = soft_oracle(mdp, ref, beta, gamma)
        mistakes = backup_mistakes(mdp, ref, beta, gamma)
        expect(backup(student, mdp, ref, beta, gamma)).close(want, BACKUP, mistakes, rtol=1e-8)


@exercise("soft_bellman_backup")
def test_impossible_actions_and_a_short_leash(student: Student, draw: Draw):
    """ln pi_ref = -inf, and rewards of thousands of beta."""
    mdp, ref = small_mdp(draw, 4, 3), draw.probs(4, 3)
    ref[:, draw.integer(0, 2)] = 0.0
    ref = ref / ref.sum(1, keepdim=True)
    expect(backup(student, mdp, ref, 0.7, 0.9)).close(
        soft_oracle(mdp, ref, 0.7, 0.9),
        "An action with ln pi_ref = -inf drops out of the soft value. " + BACKUP, rtol=1e-8,
    )  # fmt: skip
    high = mdp | {"reward": mdp["reward"] + 1000.0}
    # A constant per step moves q, not the comparison within one length of path.
    one = {"reward": high["reward"][-1:], "next_state": high["next_state"][-1:] * 0,
           "done": high["done"][-1:]}  # fmt: skip
    expect(backup(student, one, ref[-1:], 0.01)).close(one["reward"], BACKUP)
    two = {
        "reward": tensor([0.0], [1000.0]), "next_state": torch.tensor([[1], [0]]),
        "done": torch.tensor([[False], [True]]),
    }  # fmt: skip
    expect(backup(student, two, torch.ones(2, 1, dtype=F64), 0.01)).close(
        tensor([1000.0], [1000.0]), "q / beta of 100000 must not overflow."
    )


@exercise("soft_bellman_backup")
def test_deep_mdps_are_solved_to_the_end(student: Student, draw: Draw):
    """A chain of 80 states: q counts down; a short one with a tiny reward at its end."""
    length = draw.integer(70, 90)
    expect(backup(student, chain(length), torch.ones(length, 1, dtype=F64), 0.5)).close(
        torch.arange(length, 0, -1).double()[:, None],
        "With one action and rewards 1, q is the number of steps left: go on to the end.",
    )
    expect(backup(student, late_and_small(9), torch.ones(9, 1, dtype=F64), 0.5)).close(
        torch.full((9, 1), 1e-9, dtype=F64), SMALL, rtol=1e-6
    )


# --- evaluate_policy_kl --------------------------------------------------------------------------

PAID = "v(s) = sum over a of pi (r - beta ln(pi / pi_ref) + v(s')), with v = 0 after the end."


@exercise("evaluate_policy_kl", weight=2)
def test_regularised_values_are_sums_over_paths(student: Student, draw: Draw):
    """Six states, a policy and a reference, beta above and below 1."""
    for beta in (float(draw.uniform(0.3, 0.7)), float(draw.uniform(1.5, 2.5))):
        mdp, pi, ref = small_mdp(draw), draw.probs(6, 3), draw.probs(6, 3)
        r, ratio = mdp["reward"], (pi / ref).log()
        kl, reverse = (pi * ratio).sum(1), -(ref * ratio).sum(1)
        plain = path_sum(mdp, pi, r)
        expect(student.evaluate_policy_kl(mdp, pi, ref, beta)).close(
            path_sum(mdp, pi, r - beta * ratio), PAID,
            mistakes={
                "The penalty is paid in every state, not only in the first.": plain - beta * kl,
                "The penalty is missing.": plain,
                "The penalty is added: subtract it.": path_sum(mdp, pi, r + beta * ratio),
                "beta is missing.": path_sum(mdp, pi, r - ratio),
                "Use the KL divergence from pi_ref, not the entropy of pi.": path_sum(
                    mdp, pi, r - beta * pi.log()
                ),
                "This is KL(ref || pi): the divergence goes the other way.": path_sum(
                    mdp, pi, r - beta * reverse[:, None]
                ),
                "The expectation is taken under pi_ref: it is under pi.": path_sum(
                    mdp, ref, r - beta * ratio
                ),
                "The last step is penalised as well.": path_sum(
                    mdp, pi, r - beta * ratio * ~mdp["done"]
                ),
            },
        )  # fmt: skip


@exercise("evaluate_policy_kl")
def test_probabilities_may_be_zero(student: Student, draw: Draw):
    """Actions that pi never takes, with and without the reference taking them; and rare actions."""
    mdp, pi, ref = small_mdp(draw), draw.probs(6, 3), draw.probs(6, 3)
    pi[:, 0] = 0.0
    ref[3, 0] = 0.0
    pi, ref = pi / pi.sum(1, keepdim=True), ref / ref.sum(1, keepdim=True)
    ratio = torch.where(pi > 0, pi, 1.0).log() - torch.where(pi > 0, ref, 1.0).log()
    zero = "0 ln 0 is 0: an action with probability 0 contributes nothing, and nothing is clamped. "
    expect(student.evaluate_policy_kl(mdp, pi, ref, 0.5)).close(
        path_sum(mdp, pi, mdp["reward"] - 0.5 * ratio), zero + PAID
    )
    one = {"reward": tensor([1.0, 1.0]), "next_state": torch.zeros(1, 2, dtype=torch.int64),
           "done": torch.ones(1, 2, dtype=torch.bool)}  # fmt: skip
    for rare, ref in (
        (tensor(1e-3, 1 - 1e-3), tensor(1 - 1e-12, 1e-12)),
        (tensor(1e-6, 1 - 1e-6), tensor(0.9, 0.1)),
    ):
        got = student.evaluate_policy_kl(one, rare[None], ref[None], 1.0)
        want = 1 - (rare * (rare / ref).log()).sum()
        expect(got).close(want[None], zero + PAID)


@exercise("evaluate_policy_kl")
def test_the_optimum_has_no_regret(student: Student, draw: Draw):
    """At pi_* the value is the soft value; at pi_ref and for beta = 0 the plain value."""
    mdp, ref, beta = small_mdp(draw), draw.probs(6, 3), 0.6
    q = soft_oracle(mdp, ref, beta)
    best = torch.softmax(ref.log() + q / beta, 1)
    expect(student.evaluate_policy_kl(mdp, best, ref, beta)).close(
        beta * (ref * (q / beta).exp()).sum(1).log(),
        "At pi_* the value of every state is its soft value. " + PAID, rtol=1e-8,
    )  # fmt: skip
    expect(student.evaluate_policy_kl(mdp, ref, ref, beta)).close(
        path_sum(mdp, ref, mdp["reward"]), "At pi = pi_ref nothing is paid. " + PAID
    )
    expect(student.evaluate_policy_kl(mdp, best, ref, 0.0)).close(
        path_sum(mdp, best, mdp["reward"]), "With beta = 0 nothing is paid. " + PAID
    )


@exercise("evaluate_policy_kl")
def test_deep_mdps_are_evaluated_to_the_end(student: Student, draw: Draw):
    """Chains with one action: 80 states, and a short one with a tiny reward at its end."""
    length = draw.integer(70, 90)
    ones = torch.ones(length, 1, dtype=F64)
    expect(student.evaluate_policy_kl(chain(length), ones, ones, 0.5)).close(
        torch.arange(length, 0, -1).double(), "The values count the steps left: go on to the end."
    )
    ones = ones[:9]
    expect(student.evaluate_policy_kl(late_and_small(9), ones, ones, 0.5)).close(
        torch.full((9,), 1e-9, dtype=F64), SMALL
    )

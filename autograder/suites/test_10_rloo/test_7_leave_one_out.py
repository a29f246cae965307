"""Section 7 of 10_rloo. Baselines that leave one out: RLOO."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, bandit, less_others, mean_over_tuples, softmax_scores

# loo_baseline


@exercise("loo_baseline", weight=2)
def test_it_is_the_mean_of_the_other_samples(student: Student, draw: Draw):
    """Three prompts with five samples each, against a loop."""
    rewards = draw.normal(3, 5)
    want = torch.tensor(
        [[(sum(row) - row[i]) / 4 for i in range(5)] for row in rewards.tolist()], dtype=DOUBLE
    )
    total, mean = rewards.sum(1, keepdim=True), rewards.mean(1, keepdim=True)
    expect(student.loo_baseline(rewards)).close(
        want,
        "The baseline of sample i is the mean reward of the other K - 1 samples of its prompt.",
        mistakes={
            "You used the group mean: leave the own reward out.": mean.expand(3, 5),
            "You used the group mean and returned it once per prompt.": mean,
            "Divide by K - 1, the number of the others, not by K.": (total - rewards) / 5,
            "You mixed prompts: leave one out within each row.":
                (rewards.sum(0, keepdim=True) - rewards) / 2,
            "You used all other samples of the whole batch: stay within the prompt.":
                (rewards.sum() - rewards) / 14,
            "You returned the advantage: the baseline alone was asked for.": rewards - want,
            "You divided the full sum by K - 1: subtract the own reward first.":
                (total / 4).expand(3, 5),
        },
    )  # fmt: skip


@exercise("loo_baseline")
def test_two_samples_swap_their_rewards(student: Student, draw: Draw):
    """K = 2 with equal numbers of prompts and samples, in float32."""
    rewards = draw.normal(2, 2, dtype=torch.float32) + torch.tensor([[0.0, 3.0], [5.0, 0.0]])
    expect(student.loo_baseline(rewards)).close(
        rewards.flip(1), "With K = 2 each sample's baseline is the other one's reward, same dtype."
    )


@exercise("loo_baseline")
def test_the_own_reward_does_not_matter(student: Student, draw: Draw):
    """One reward is changed; its own baseline must not notice, the others must."""
    rewards = draw.normal(2, 4)
    i = draw.integer(0, 4)
    changed = rewards.clone()
    changed[0, i] += 6.0
    before, after = student.loo_baseline(rewards), student.loo_baseline(changed)
    want = torch.zeros(2, 4, dtype=DOUBLE)
    want[0] = 2.0
    want[0, i] = 0.0
    for each in (before, after):
        expect(each).tensor((2, 4), DOUBLE, "Return one baseline per sample, [B, K].")
    expect(after - before).close(
        want,
        "A sample's baseline may not depend on its own reward; the others of its prompt feel it "
        "with weight 1 / (K - 1), other prompts not at all.",
    )


@exercise("loo_baseline")
def test_a_single_sample_is_refused(student: Student, draw: Draw):
    """K = 1, with several prompts and with one, and K = 0."""
    for B in (3, 1):
        raised = student.raised("loo_baseline", draw.normal(B, 1))
        expect(raised).equals("ValueError", "With K = 1 nobody is left: raise ValueError.")
    raised = student.raised("loo_baseline", draw.normal(3, 0))
    expect(raised).equals("ValueError", "Raise ValueError for every K < 2, K = 0 included.")


@exercise("loo_baseline")
def test_equal_rewards_of_others_count(student: Student, draw: Draw):
    """A group of seven with ties, against a loop."""
    rewards = torch.tensor([draw.shuffled([2.0, 2.0, 2.0, 5.0, 5.0, -1.0, 0.0]) for _ in range(2)])
    rewards = rewards.double()
    want = torch.tensor(
        [[(sum(row) - row[i]) / 6 for i in range(7)] for row in rewards.tolist()], dtype=DOUBLE
    )
    expect(student.loo_baseline(rewards)).close(
        want,
        "Leave out one sample, not one value: others with the same reward stay in the mean.",
    )


@exercise("loo_baseline")
def test_one_prompt_with_many_samples(student: Student, draw: Draw):
    """One prompt with 200 samples: [1, 200]."""
    rewards = draw.normal(1, 200)
    want = torch.stack(
        [torch.cat([rewards[0, :i], rewards[0, i + 1 :]]).mean() for i in range(200)]
    )
    expect(student.loo_baseline(rewards)).close(
        want[None], "All other samples of the prompt count, and the result stays [B, K]."
    )


# rloo_advantages


def groups(draw: Draw):
    """Rewards, log-probabilities and reference [2, 4], beta, and R_beta."""
    rewards = draw.normal(2, 4) * 2
    logps, ref_logps = -draw.uniform(1, 5, 2, 4), -draw.uniform(1, 5, 2, 4)
    beta = float(draw.uniform(0.3, 0.8))
    return rewards, logps, ref_logps, beta, rewards - beta * (logps - ref_logps)


@exercise("rloo_advantages", weight=2)
def test_the_regularised_reward_less_that_of_the_others(student: Student, draw: Draw):
    """Two prompts with four samples each and a policy that has moved."""
    rewards, logps, ref_logps, beta, r = groups(draw)
    centred = r - r.mean(1, keepdim=True)
    want = less_others(r)
    expect(student.rloo_advantages(rewards, logps, ref_logps, beta)).close(
        want,
        "A_i = R_beta(y_i) minus the mean of R_beta over the other samples of the prompt.",
        mistakes={
            "You used the group mean, own reward included: the gradient shrinks by (K - 1) / K.":
                centred,
            "You divided by the standard deviation: that biases the gradient.":
                centred / r.std(1, keepdim=True),
            "You divided by the (population) standard deviation: that biases the gradient.":
                centred / r.std(1, keepdim=True, correction=0),
            "You divided leave-one-out advantages by the standard deviation: do not.":
                want / r.std(1, keepdim=True),
            "You left the KL penalty out: regularise first.": less_others(rewards),
            "The baseline must average R_beta, not the bare rewards.":
                r - (rewards - less_others(rewards)),
            "The sample's own reward must be regularised too.": rewards - (r - want),
            "The penalty has the wrong sign.": less_others(2 * rewards - r),
            "You forgot beta.": less_others(rewards - (logps - ref_logps)),
            "You mixed prompts: leave one out within each row.": less_others(r.T).T,
            "You returned the baseline: subtract it from R_beta.": r - want,
            "The sign is reversed: a better sample has a positive advantage.": -want,
        },
    )  # fmt: skip


@exercise("rloo_advantages")
def test_advantages_are_numbers_without_a_graph(student: Student, draw: Draw):
    """Each argument in turn with a graph: the result must not carry one."""
    rewards, logps, ref_logps, beta, r = groups(draw)
    for position in (1, 0, 2):
        got = student.grad(
            "rloo_advantages", rewards, logps, ref_logps, beta,
            wrt=(position,), cotangent=torch.ones(2, 4, dtype=DOUBLE),
        )  # fmt: skip
        expect(got.value).close(less_others(r), "The values must be right with a graph as well.")
        expect(got).true(
            not got.requires_grad,
            "Detach the result: an advantage is a number, not a graph, whichever of rewards, logps "
            "and ref_logps carries one.",
        )


@exercise("rloo_advantages")
def test_without_penalty_the_rewards_are_still_compared(student: Student, draw: Draw):
    """beta = 0 with four samples, and a beta above 1."""
    rewards, logps, ref_logps, _, _ = groups(draw)
    for beta in (0.0, 2.5):
        expect(student.rloo_advantages(rewards, logps, ref_logps, beta)).close(
            less_others(rewards - beta * (logps - ref_logps)),
            "The same formula holds for every beta >= 0: with beta = 0 it is the reward minus the "
            "mean reward of the others.",
        )


@exercise("rloo_advantages")
def test_pairs_ties_and_single_samples(student: Student, draw: Draw):
    """K = 2, a group whose regularised rewards are all equal, and K = 1."""
    logps, ref_logps = -draw.uniform(1, 5, 3, 2), -draw.uniform(1, 5, 3, 2)
    r = draw.normal(3, 2) + torch.tensor([[0.0, 3.0], [2.0, 2.0], [4.0, 0.0]], dtype=DOUBLE)
    r[1, 1] = r[1, 0]
    rewards = r + 0.5 * (logps - ref_logps)
    got = student.rloo_advantages(rewards.float(), logps.float(), ref_logps.float(), 0.5)
    expect(got).close(
        (r - r.flip(1)).float(),
        "With K = 2 the advantage is the difference of the two, in the rewards' dtype; ties give "
        "0, not nan.",
    )
    raised = student.raised("rloo_advantages", r[:, :1], r[:, :1], r[:, :1], 0.5)
    expect(raised).equals("ValueError", "With K = 1 nobody is left: raise ValueError.")


@exercise("rloo_advantages")
def test_large_advantages_are_not_clipped(student: Student, draw: Draw):
    """One prompt, rewards in thousands and log-ratios in hundreds."""
    rewards, logps = 5000 * draw.normal(1, 4), -draw.uniform(300.0, 400.0, 1, 4)
    ref_logps = -draw.uniform(500.0, 700.0, 1, 4)
    r = rewards - 3.0 * (logps - ref_logps)
    expect(student.rloo_advantages(rewards, logps, ref_logps, 3.0)).close(
        (r - r.mean()) * 4 / 3,
        "Advantages are R_beta minus the mean of the others as it is: clip nothing.",
    )


# rloo_gradient


@exercise("rloo_gradient", weight=2)
def test_its_mean_over_all_samples_is_the_gradient(student: Student, draw: Draw):
    """All pairs and all triples of outcomes, weighted with the policy."""
    theta, R, ref, beta = bandit(draw, 3)
    pi = theta.softmax(0)
    reward = R - beta * (pi / ref).log()
    want = pi * (reward - pi @ reward)
    bare = pi * (R - pi @ R)
    for K in (2, 3):

        def estimate(y, K=K):
            got = student.rloo_gradient(theta, torch.tensor(y), R, ref, beta)
            return expect(got).tensor((3,), DOUBLE, "Return one float64 number per logit, [V].")

        expect(mean_over_tuples(pi, K, estimate)).close(
            want,
            "The mean over all samples must be the gradient of J: the estimate is biased.",
            mistakes={
                "Biased by (K - 1) / K: your baseline contains the sample's own reward.":
                    want * (K - 1) / K,
                "K times too large: the estimate is a mean over the samples, with 1 / K.": want * K,
                "Divided by V instead of K.": want * K / 3,
                "The sign is that of a loss: this is the gradient of J, uphill.": -want,
                "The KL penalty is missing from the reward.": bare,
                "The penalty has the wrong sign.": 2 * bare - want,
            },
        )  # fmt: skip


@exercise("rloo_gradient")
def test_one_batch_with_repeated_samples(student: Student, draw: Draw):
    """Five samples from five outcomes, one of them twice, one of them never."""
    theta, R, ref, beta = bandit(draw, 5)
    y = torch.tensor(draw.shuffled([0, 1, 1, 2, 3]))
    pi = theta.softmax(0)
    r = (R - beta * (pi / ref).log())[y]
    scores, advantages = softmax_scores(pi)[y], less_others(r[None])[0]
    centred = r - r.mean()
    expect(student.rloo_gradient(theta, y, R, ref, beta)).close(
        advantages @ scores / 5,
        "The estimate is the mean over i of (R_beta(y_i) - b_i) (e_{y_i} - pi), repeats included.",
        mistakes={
            "You used the group mean as baseline.": centred @ scores / 5,
            "You divided by the standard deviation: RLOO does not.": centred / r.std() @ scores / 5,
            "You divided by the (population) standard deviation: RLOO does not.":
                centred / r.std(correction=0) @ scores / 5,
            "You used no baseline.": r @ scores / 5,
            "You weighted the samples with pi once more: they were drawn from it.":
                (pi[y] * advantages) @ scores,
            "You left out - pi in the score.":
                torch.zeros(5, dtype=DOUBLE).index_add(0, y, advantages / 5),
        },
    )  # fmt: skip


@exercise("rloo_gradient")
def test_equal_samples_say_nothing_and_large_logits_do_no_harm(student: Student, draw: Draw):
    """The same outcome four times, then all logits shifted far up."""
    theta, R, ref, beta = bandit(draw, 4)
    got = student.rloo_gradient(theta, torch.tensor([2, 2, 2, 2]), R, ref, beta)
    expect(got).close(
        torch.zeros(4, dtype=DOUBLE),
        "K equal samples have advantages 0: the estimate is 0, not nan.",
        rtol=1e-10,
        scale=1.0,
    )
    pi = theta.softmax(0)
    reward = R - beta * (pi / ref).log()
    scores = softmax_scores(pi)
    want = (reward[0] - reward[3]) * (scores[0] - scores[3]) / 2
    expect(student.rloo_gradient(theta + 1000.0, torch.tensor([0, 3]), R, ref, beta)).close(
        want, "A constant added to all logits leaves the policy alone; use (log_)softmax."
    )


@exercise("rloo_gradient")
def test_nearly_impossible_samples_and_logits_with_a_graph(student: Student, draw: Draw):
    """A sample whose probability underflows to 0, with logits that require a gradient."""
    theta, R, ref, beta = bandit(draw, 4)
    theta[1] -= 900.0
    pi, h = theta.softmax(0), theta.log_softmax(0) - ref.log()
    reward, scores = R - beta * h, softmax_scores(pi)
    got = student.grad("rloo_gradient", theta, torch.tensor([1, 2]), R, ref, beta, wrt=(0,),
                       cotangent=torch.ones(4, dtype=DOUBLE))  # fmt: skip
    expect(got.value).close(
        (reward[1] - reward[2]) * (scores[1] - scores[2]) / 2,
        "Finite logits have finite log-probabilities: use log_softmax, the logarithm of an "
        "underflowed probability is -inf.",
    )
    expect(got).true(not got.requires_grad, "The estimate is returned without graph: detach it.")


@exercise("rloo_gradient")
def test_without_penalty_only_the_rewards_count(student: Student, draw: Draw):
    """beta = 0, far from the reference; then rewards in thousands."""
    theta, R, ref = 2 * draw.normal(4), draw.normal(4), draw.probs(4)
    y = torch.tensor(draw.shuffled([0, 1, 2, 3]))
    for scale in (1.0, 3000.0):
        r = scale * R[y]
        want = ((r - r.mean()) * 4 / 3) @ softmax_scores(theta.softmax(0))[y] / 4
        expect(student.rloo_gradient(theta, y, scale * R, ref, 0.0)).close(
            want, "beta = 0 is a number like any other: no default in its place, and no clipping."
        )

"""Section 6 of the project. Reward, divergence, J and win rate with their errors, by arithmetic."""

import math

import torch

from autograder.suite import Draw, Student, exercise, expect, model

from .oracles import (
    DOUBLE,
    IMPOSSIBLE,
    batch_of,
    doubles,
    logp_of,
    ragged_rows,
    small_llama,
    table_model,
)

# --- evaluate_policy -----------------------------------------------------------------------------


def judged(draw: Draw, dtype=DOUBLE, blocked=(0,)):
    """Two tables, ragged completions, rewards with wins, a tie and a loss.

    In single precision the policy always picks a token that the reference hardly knows.
    """
    config = {"vocab_size": 5, "context": 7}
    policy, crossing = table_model(draw, blocked=blocked, vocab_size=5, context=7)
    reference, crossing_ref = table_model(draw, blocked=blocked, vocab_size=5, context=7)
    if dtype != DOUBLE:
        policy.table.data[:, 2] += 30
        reference.table.data[:, 2] -= 30
        crossing, crossing_ref = (
            model("sft2rl.models.TabularLM", config, {"table": each.table.detach().to(dtype)})
            for each in (policy, reference)
        )
    rows = ragged_rows(draw, range(2, 5))
    rewards = draw.normal(4)
    ref_rewards = rewards + doubles(*draw.shuffled([-0.4, 0.0, 0.3, -1.1]))
    ref_rewards = torch.where((ref_rewards - rewards).abs() < 1e-12, rewards, ref_rewards)
    return (policy, reference), (crossing, crossing_ref), rows, rewards, ref_rewards


def kl_terms(policy, reference, rows, swap=False) -> list[list[float]]:
    """KL(policy || reference) after each prefix of each completion, by plain arithmetic."""
    first, second = (reference, policy) if swap else (policy, reference)
    out = []
    for prompt, completion in rows:
        terms = []
        for place in range(len(completion)):
            prefix = torch.tensor([prompt + completion[:place]])
            p, q = (m(prefix).logits[0, -1].detach().log_softmax(-1).tolist()
                    for m in (first, second))  # fmt: skip
            terms.append(
                sum(math.exp(a) * (a - b) for a, b in zip(p, q, strict=True) if a > IMPOSSIBLE)
            )
        out.append(terms)
    return out


def mean_and_error(values) -> tuple[float, float]:
    """Mean and standard error, by hand."""
    n = len(values)
    mean = sum(values) / n
    return mean, math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1) / n)


NAMES = ("reward", "kl", "J", "win_rate")


def figures(got, text: str):
    """The dict of eight plain floats, or a failure."""
    wanted = {*NAMES, *(f"{name}_se" for name in NAMES)}
    good = isinstance(got, dict) and set(got) == wanted
    expect(good).true(
        good, f"The result has the keys reward, kl, J, win_rate and each with _se. {text}"
    )
    return got


@exercise("evaluate_policy", weight=2)
def test_the_divergence_of_whole_completions(student: Student, draw: Draw):
    """Ragged completions and free logits: the sum over positions and over the vocabulary."""
    here, crossing, rows, rewards, ref_rewards = judged(draw, blocked=())
    batch = batch_of(rows)
    got = figures(student.evaluate_policy(*crossing, *batch, rewards, ref_rewards, 0.3), "")
    terms = kl_terms(*here, rows)
    swapped = kl_terms(*here, rows, swap=True)
    sampled = [logp_of(here[0], p, c) - logp_of(here[1], p, c) for p, c in rows]
    count = sum(map(len, terms))
    prompts = [(p[:1], p[1:] + c) for p, c in rows]
    expect(got["kl"]).close(
        sum(map(sum, terms)) / 4,
        "kl is the mean over completions of the sum over their positions of KL(policy || "
        "reference) over the whole vocabulary; logits[:, t - 1] belong to position t.",
        mistakes={
            "That is KL(reference || policy).": sum(map(sum, swapped)) / 4,
            "You averaged over positions instead of summing.": sum(map(sum, terms)) / count,
            "You averaged over positions in each completion.":
                sum(sum(t) / len(t) for t in terms) / 4,
            "That is the log-ratio of the sample, not the exact divergence per position.":
                sum(sampled) / 4,
            "You counted the positions of the prompt.":
                sum(map(sum, kl_terms(*here, prompts))) / 4,
        },
    )  # fmt: skip
    expect(got["kl_se"]).close(
        mean_and_error([sum(t) for t in terms])[1], "kl_se is the standard error of the KL_i."
    )


@exercise("evaluate_policy", weight=1.5)
def test_the_error_of_j_knows_that_reward_and_divergence_go_together(student: Student, draw: Draw):
    """J and its standard error come from J_i = R_i - beta KL_i of each completion."""
    here, crossing, rows, rewards, ref_rewards = judged(draw, blocked=())
    beta = float(draw.uniform(0.3, 0.9))
    batch = batch_of(rows)
    got = figures(student.evaluate_policy(*crossing, *batch, rewards, ref_rewards, beta), "")
    kl = [sum(t) for t in kl_terms(*here, rows)]
    values = [r - beta * k for r, k in zip(rewards.tolist(), kl, strict=True)]
    mean, error = mean_and_error(values)
    r_error, k_error = mean_and_error(rewards.tolist())[1], mean_and_error(kl)[1]
    expect(got["J"]).close(
        mean, "J = mean of R_i - beta KL_i.",
        mistakes={"beta is missing.": mean + (beta - 1) * sum(kl) / 4,
                  "The sign of the KL term is wrong.": mean + 2 * beta * sum(kl) / 4},
    )  # fmt: skip
    expect(got["J_se"]).close(
        error,
        "The standard error of J is that of the J_i: standard deviation (B - 1) / sqrt(B).",
        mistakes={
            "You added variances: R_i and KL_i are correlated.":
                math.sqrt(r_error**2 + (beta * k_error) ** 2),
            "You added the standard errors.": r_error + beta * k_error,
            "That is the standard deviation: divide by sqrt(B).": error * 2,
            "Divide by B - 1 in the variance.": error * math.sqrt(3 / 4),
        },
    )  # fmt: skip


@exercise("evaluate_policy")
def test_wins_and_ties_on_the_same_prompts(student: Student, draw: Draw):
    """One loss, one tie, two wins or the other way round."""
    _, crossing, rows, rewards, ref_rewards = judged(draw, blocked=())
    wins = [1.0 if a > b else 0.5 if a == b else 0.0
            for a, b in zip(rewards.tolist(), ref_rewards.tolist(), strict=True)]  # fmt: skip
    batch = batch_of(rows)
    got = figures(student.evaluate_policy(*crossing, *batch, rewards, ref_rewards, 0.2), "")
    mean, error = mean_and_error(wins)
    expect(got["win_rate"]).close(
        mean, "A win counts 1, however narrow, a tie one half, a loss 0.",
        mistakes={
            "A tie counts one half.": sum(w == 1 for w in wins) / 4,
            "A tie counts one half, not one.": sum(w >= 0.5 for w in wins) / 4,
            "You counted the wins of the reference.": 1 - mean,
        },
    )  # fmt: skip
    expect(got["win_rate_se"]).close(error, "Its standard error: deviation (B - 1) / sqrt(B).")
    narrow = student.evaluate_policy(*crossing, *batch, rewards, rewards - 2e-9, 0.2)
    expect(figures(narrow, "")["win_rate"]).close(
        1.0, "However narrow, a win is a win: only equal rewards are a tie."
    )
    mean, error = mean_and_error(rewards.tolist())
    expect(got["reward"]).close(mean, "reward is the mean of the policy's rewards.")
    expect(got["reward_se"]).close(error, "Its standard error: deviation (B - 1) / sqrt(B).")


@exercise("evaluate_policy")
def test_tokens_that_are_never_drawn_cost_nothing(student: Student, draw: Draw):
    """One token has probability zero under both models, as padding has."""
    here, crossing, rows, rewards, ref_rewards = judged(draw)
    batch = batch_of(rows, width=7)
    got = figures(student.evaluate_policy(*crossing, *batch, rewards, ref_rewards, 0.3), "")
    want = sum(map(sum, kl_terms(*here, rows))) / 4
    expect(got["kl"]).close(want, "0 ln 0 is 0: a token that the policy never draws adds nothing.")


@exercise("evaluate_policy", weight=0.5)
def test_an_infinite_divergence_in_the_prompt_does_no_harm(student: Student, draw: Draw):
    """Inside the prompts the reference excludes a token that the policy may draw."""
    config = {"vocab_size": 5, "context": 7}
    policy, crossing = table_model(draw, **config)
    reference, _ = table_model(draw, **config)
    for word in range(5):  # no completion of these prompts begins after their first token
        prefix = reference.prefix_rows(torch.tensor([[word]]))[0, 0]
        reference.table.data[prefix, 0] = IMPOSSIBLE
    crossing_ref = model("sft2rl.models.TabularLM", config, {"table": reference.table.detach()})
    rows = [(draw.integers(2, 5, n).tolist(), [*draw.integers(2, 5, m).tolist(), 1])
            for n, m in ((2, 1), (3, 2), (2, 3))]  # fmt: skip
    rewards, ref_rewards = draw.normal(3), draw.normal(3)
    got = student.evaluate_policy(
        crossing, crossing_ref, *batch_of(rows), rewards, ref_rewards, 0.3
    )
    text = "Choose the positions of the completion (where) instead of multiplying by the mask."
    want = sum(map(sum, kl_terms(policy, reference, rows))) / 3
    expect(figures(got, text)["kl"]).close(want, text)


@exercise("evaluate_policy", weight=0.5)
def test_plain_floats_from_single_precision(student: Student, draw: Draw):
    """Models and rewards in float32, divergences of dozens of nats at every position."""
    here, crossing, rows, rewards, ref_rewards = judged(draw, torch.float32, blocked=())
    got = student.evaluate_policy(
        *crossing, *batch_of(rows), rewards.float(), ref_rewards.float(), 0.3
    )
    text = "Eight Python floats are wanted."
    plain = all(type(value) is float for value in figures(got, text).values())
    expect(plain).true(plain, text)
    expect(got["kl"]).close(sum(map(sum, kl_terms(*here, rows))) / 4, text, rtol=1e-4)


@exercise("evaluate_policy", weight=0.5)
def test_padding_on_the_left_of_a_prompt(student: Student, draw: Draw):
    """Shorter prompts are padded on the left of two small Llamas with dropout."""
    here, crossing = zip(small_llama(draw, 1), small_llama(draw, 1), strict=True)
    rows, rewards, ref_rewards = ragged_rows(draw, range(2, 7)), draw.normal(4), draw.normal(4)
    longest = max(len(p) for p, _ in rows)
    batch = batch_of(rows, left=[longest - len(p) for p, _ in rows])
    got = figures(student.evaluate_policy(*crossing, *batch, rewards, ref_rewards, 0.3), "")
    want = sum(map(sum, kl_terms(*here, rows))) / 4
    expect(got["kl"]).close(
        want, "Hand attention_mask to both models, which stay in the mode they are in (dropout!).",
        rtol=1e-5,
    )  # fmt: skip

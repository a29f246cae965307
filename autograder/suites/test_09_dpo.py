"""Hidden suite of 09_dpo.

Strategy: every line of the derivation is compared with something that does not use the line.
Probabilities and partition functions are summed one exponential at a time; Bradley-Terry rewards
come from the MM algorithm (Zermelo 1929, Hunter 2004), not from gradient descent; the optimal
policy must beat every policy of a cloud; the regret is a difference of objectives; gradients are
compared by value with autograd on a population loss written as a double loop; IPO's closed form is
the solution of a weighted least-squares problem. The formula of `optimal_log_odds` is a tree of
white-listed heads, evaluated at random points. References are never uniform where that could hide
a mistake, beta is never 1 there, and batches hold several prompts.
"""

import math

import torch

from autograder.suite import CheckFailed, Draw, Student, exercise, expect
from sft2rl import formulas

DEPENDS = {
    "reward_model_loss": ["bt_probability"],
    "fit_bt": ["bt_probability", "reward_model_loss"],
    "optimal_policy": ["log_partition"],
    "objective_gap": ["kl_objective", "log_partition", "optimal_policy"],
    "dpo_loss": ["implicit_reward", "reward_model_loss"],
    "dpo_loss_gradient": ["bt_probability", "dpo_loss", "implicit_reward"],
    "dpo_population_gradient": ["bt_probability", "dpo_loss", "implicit_reward"],
    "ipo_loss": ["implicit_reward"],
    "ipo_closed_form": ["optimal_policy"],
}

F64 = torch.float64
NO_GRADIENT = "No gradient reaches one of the arguments. Look for detach, .item() or numpy."


# --- oracles and helpers ------------------------------------------------------------------------


def scalar(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=F64)


def sigma(z: torch.Tensor) -> torch.Tensor:
    """The logistic function, by the hyperbolic tangent."""
    return (1 + torch.tanh(z / 2)) / 2


def nll(gaps: torch.Tensor) -> torch.Tensor:
    """-ln sigma(gap) = ln(1 + e^-gap) for gaps of any size."""
    return torch.logaddexp(torch.zeros_like(gaps), -gaps)


def mm_rewards(wins: torch.Tensor, rounds: int = 20_000) -> torch.Tensor:
    """Maximum-likelihood Bradley-Terry rewards by the MM algorithm, the first one at 0."""
    wins = wins.double()
    played = wins + wins.T
    strength = torch.ones(len(wins), dtype=F64)
    for _ in range(rounds):
        new = wins.sum(1) / (played / (strength[:, None] + strength[None, :])).sum(1)
        new = new / new[0]
        if bool(((new - strength).abs() <= 1e-14 * new).all()):
            break
        strength = new
    return strength.log()


def weights(ref: torch.Tensor, rewards: torch.Tensor, beta: float) -> torch.Tensor:
    """ref * e^(R / beta), one exponential at a time (moderate R / beta only)."""
    flat = zip(ref.flatten().tolist(), rewards.flatten().tolist(), strict=True)
    return torch.tensor([p * math.exp(r / beta) for p, r in flat], dtype=F64).reshape(ref.shape)


def optimum(ref: torch.Tensor, rewards: torch.Tensor, beta: float) -> torch.Tensor:
    each = weights(ref, rewards, beta)
    return each / each.sum(-1, keepdim=True)


def kl(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """KL(p || q) over the last dimension; p may contain zeros."""
    return torch.where(p > 0, p * (p.clamp_min(1e-300).log() - q.log()), 0.0).sum(-1)


def objective(p: torch.Tensor, ref: torch.Tensor, r: torch.Tensor, beta: float) -> torch.Tensor:
    return (p * r).sum(-1) - beta * kl(p, ref)


def pairs_of_logps(draw: Draw, n: int) -> tuple[torch.Tensor, ...]:
    """Four [n] log-probabilities of long completions, whose gaps have both signs."""
    chosen, rejected = -draw.uniform(5, 60, n), -draw.uniform(5, 60, n)
    ref_chosen, ref_rejected = chosen + draw.normal(n), rejected + draw.normal(n)
    gap = draw.uniform(0.5, 4, n) * torch.tensor([1.0, -1.0] * n, dtype=F64)[:n]
    return chosen, chosen - ref_chosen - gap + ref_rejected, ref_chosen, ref_rejected


def gap_of(pairs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    chosen, rejected, ref_chosen, ref_rejected = pairs
    return (chosen - ref_chosen) - (rejected - ref_rejected)


def preferences(draw: Draw, n: int) -> torch.Tensor:
    """[n, n] label probabilities that no rewards explain; P + P.T = 1."""
    upper = draw.uniform(0.05, 0.95, n, n).triu(1)
    return upper + (1 - upper.T).tril(-1) + 0.5 * torch.eye(n, dtype=F64)


def population_gradient(theta, prefs, mu, ref, beta) -> torch.Tensor:
    """Autograd on the population DPO loss, written pair by pair and outcome by outcome."""
    theta = theta.clone().requires_grad_()
    h = theta - torch.logsumexp(theta, 0) - ref.log()
    loss = torch.zeros((), dtype=F64)
    for i in range(len(theta)):
        for j in range(len(theta)):
            loss = loss + mu[i, j] * prefs[i, j] * nll(beta * (h[i] - h[j]))
            loss = loss + mu[i, j] * (1 - prefs[i, j]) * nll(beta * (h[j] - h[i]))
    return torch.autograd.grad(loss, theta)[0]


# --- bt_probability -----------------------------------------------------------------------------


@exercise("bt_probability")
def test_probability_is_the_share_of_the_exponentials(student: Student, draw: Draw):
    """A batch of moderate rewards."""
    r_w, r_l = draw.uniform(0.5, 3, 6), draw.uniform(0.5, 3, 6)
    want = torch.tensor(
        [math.exp(a) / (math.exp(a) + math.exp(b)) for a, b in zip(r_w, r_l, strict=True)],
        dtype=F64,
    )
    expect(student.bt_probability(r_w, r_l)).close(
        want,
        "P(w > l) = e^r_w / (e^r_w + e^r_l) = sigma(r_w - r_l).",
        mistakes={
            "This is the probability that the other completion wins.": 1 - want,
            "This is Thurstone's law (the normal distribution), not Bradley-Terry.": (
                torch.special.ndtr(r_w - r_l)
            ),
            "Rewards are logarithms of strengths, not strengths.": r_w / (r_w + r_l),
            "This is the logarithm of the probability.": want.log(),
        },
    )


@exercise("bt_probability")
def test_rewards_in_the_thousands_are_harmless(student: Student, draw: Draw):
    """Large rewards of both signs, close together and far apart."""
    gap = draw.uniform(0.3, 2, 3)
    base = torch.tensor([1500.0, -1500.0, 4000.0], dtype=F64)
    r_w = torch.cat([base + gap, torch.tensor([0.0, 900.0], dtype=F64)])
    r_l = torch.cat([base, torch.tensor([1200.0, -900.0], dtype=F64)])
    want = torch.cat([sigma(gap), torch.tensor([0.0, 1.0], dtype=F64)])
    expect(student.bt_probability(r_w, r_l)).close(
        want,
        "Exponentials of large rewards overflow or underflow: use sigma of the difference.",
    )


@exercise("bt_probability")
def test_single_precision_stays_single(student: Student, draw: Draw):
    """Rewards in single precision."""
    r_w, r_l = draw.normal(5, dtype=torch.float32), draw.normal(5, dtype=torch.float32)
    expect(student.bt_probability(r_w, r_l)).close(
        sigma(r_w - r_l), "The result has the dtype of the rewards."
    )


@exercise("bt_probability")
def test_shapes_broadcast(student: Student, draw: Draw):
    """A column of rewards against a row gives a table."""
    column, row = draw.normal(3, 1), draw.normal(1, 4)
    expect(student.bt_probability(column, row)).close(
        sigma(column - row), "Any shapes that broadcast are allowed: return the whole table."
    )


@exercise("bt_probability")
def test_probability_is_differentiable(student: Student, draw: Draw):
    """The gradient in both rewards, compared by value."""
    r_w, r_l, cotangent = draw.normal(5), draw.normal(5), draw.normal(5)
    got = student.grad("bt_probability", r_w, r_l, wrt=(0, 1), cotangent=cotangent)
    p = sigma(r_w - r_l)
    want = cotangent * p * (1 - p)
    expect([got.grads[0], got.grads[1]]).close([want, -want], NO_GRADIENT)


# --- reward_model_loss --------------------------------------------------------------------------


@exercise("reward_model_loss", weight=2)
def test_loss_is_the_mean_negative_log_likelihood(student: Student, draw: Draw):
    """A batch of moderate gaps of both signs."""
    rejected = draw.normal(7)
    gap = draw.uniform(0.3, 3, 7) * torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0, 1.0, -1.0], dtype=F64)
    want = nll(gap).mean()
    expect(student.reward_model_loss(rejected + gap, rejected)).close(
        want,
        "The loss is the mean of -ln sigma(r_chosen - r_rejected).",
        mistakes={
            "You summed over the pairs: take the mean.": nll(gap).sum(),
            "You rewarded the rejected completion: the sign of the gap is swapped.": (
                nll(-gap).mean()
            ),
            "This is a squared error: the likelihood of a vote is a logarithm.": (
                ((sigma(gap) - 1) ** 2).mean()
            ),
            "You took the logarithm after the mean: each pair has its own -ln sigma.": (
                -sigma(gap).mean().log()
            ),
            "The sign is wrong: a loss is minus the log-likelihood.": -want,
        },
    )


@exercise("reward_model_loss")
def test_one_tied_pair_costs_ln_2(student: Student, draw: Draw):
    """A batch of one pair with equal rewards."""
    reward = draw.normal(1)
    expect(student.reward_model_loss(reward, reward.clone())).close(
        scalar(math.log(2)), "Equal rewards cost ln 2, also in a batch of one pair; return 0-d."
    )


@exercise("reward_model_loss", weight=2)
def test_huge_gaps_keep_their_value_and_slope(student: Student, draw: Draw):
    """Gaps of hundreds, of both signs: the loss and its gradients."""
    size = draw.uniform(800, 1500, 2)
    chosen = torch.stack([-size[0], size[1], scalar(0.0), scalar(1.0)])
    rejected = torch.tensor([0.0, 0.0, 0.0, 1.5], dtype=F64)
    gap = chosen - rejected
    got = student.grad("reward_model_loss", chosen, rejected, wrt=(0, 1))
    message = "ln(sigma(z)) is -inf once sigma underflows: use softplus or logsigmoid, no epsilon."
    pull = sigma(-gap) / 4
    expect(got.value).close(nll(gap).mean(), message)
    expect([got.grads[0], got.grads[1]]).close([-pull, pull], message)


@exercise("reward_model_loss")
def test_both_sides_of_a_pair_get_a_gradient(student: Student, draw: Draw):
    """The gradient in the chosen and in the rejected rewards, by value."""
    chosen, rejected = draw.normal(5), draw.normal(5)
    got = student.grad("reward_model_loss", chosen, rejected, wrt=(0, 1))
    pull = sigma(rejected - chosen) / 5
    expect([got.grads[0], got.grads[1]]).close(
        [-pull, pull],
        "The slopes are -sigma(-gap) / B for the chosen and +sigma(-gap) / B for the rejected "
        "reward; both must get a gradient.",
    )


@exercise("reward_model_loss")
def test_every_pair_of_a_large_batch_counts_in_full(student: Student, draw: Draw):
    """Three hundred pairs, some with gaps of a hundred thousand."""
    chosen, rejected = draw.normal(300), draw.normal(300)
    chosen[::7] -= draw.uniform(50_000, 100_000, 43)
    expect(student.reward_model_loss(chosen, rejected)).close(
        nll(chosen - rejected).mean(),
        "The mean runs over all pairs of the batch, and a loss may be as large as the gap: no "
        "clamp, no limit.",
    )


# --- fit_bt -------------------------------------------------------------------------------------


def fitted_gaps(student: Student, wins: torch.Tensor) -> torch.Tensor:
    """Rewards minus the first one: every zero point is accepted."""
    got = student.fit_bt(wins, 2.0, 1500)
    expect(got).tensor([len(wins)], F64, "Return one float64 reward per item, of shape [n].")
    return got - got[0]


@exercise("fit_bt")
def test_two_items_have_a_closed_form(student: Student, draw: Draw):
    """Votes between two items."""
    wins = torch.tensor([[0, draw.integer(30, 60)], [draw.integer(5, 20), 0]], dtype=F64)
    a, b = wins[0, 1].item(), wins[1, 0].item()
    expect(fitted_gaps(student, wins)).close(
        torch.tensor([0.0, math.log(b / a)], dtype=F64),
        "With two items, r_1 - r_2 = ln(wins of 1 / wins of 2).",
        rtol=1e-6,
        mistakes={
            "You returned win rates, not rewards.": torch.tensor(
                [0.0, (b - a) / (a + b)], dtype=F64
            ),
            "You read the table by columns: wins[i, j] counts how often i beat j.": torch.tensor(
                [0.0, math.log(a / b)], dtype=F64
            ),
        },
    )


@exercise("fit_bt")
def test_rewards_are_recovered_from_exact_probabilities(student: Student, draw: Draw):
    """Vote counts made from known rewards, on an unbalanced schedule."""
    truth = torch.tensor(draw.shuffled([-3.4, -0.4, 0.1, 0.9, 3.6]), dtype=F64)
    played = draw.integers(5, 60, 5, 5).double().triu(1)
    played = played + played.T
    wins = played * sigma(truth[:, None] - truth[None, :])
    rate = wins.sum(1) / played.sum(1)
    expect(fitted_gaps(student, wins)).close(
        truth - truth[0],
        "With exact Bradley-Terry probabilities the fit returns the rewards behind them.",
        rtol=1e-6,
        mistakes={
            "These are win rates: whom an item beat matters too.": rate - rate[0],
            "These are log-odds of win rates: whom an item beat matters too.": (
                (rate / (1 - rate)).log() - (rate / (1 - rate)).log()[0]
            ),
        },
    )


@exercise("fit_bt")
def test_repeated_votes_count_each_time(student: Student, draw: Draw):
    """Whole-number counts that contradict each other; some pairs met often, some seldom."""
    wins = torch.tensor([[0, 40, 1, 6], [9, 0, 5, 2], [4, 2, 0, 30], [1, 3, 25, 0]])
    wins = wins + draw.integers(0, 3, 4, 4) * (1 - torch.eye(4, dtype=torch.int64))
    order = torch.tensor(draw.shuffled(range(4)))
    wins = wins[order][:, order]
    rates = wins / (wins + wins.T + torch.eye(4, dtype=F64))
    alike = mm_rewards(rates)
    expect(fitted_gaps(student, wins)).close(
        mm_rewards(wins),
        "Every vote counts once: the optimum makes expected wins equal to observed wins. "
        "The counts may be integers.",
        rtol=1e-6,
        mistakes={"You weighed every pair alike, however often it was compared.": alike},
    )


@exercise("fit_bt")
def test_pairs_that_never_met_do_no_harm(student: Student, draw: Draw):
    """A chain of items: only neighbours were compared."""
    n = 4
    wins = torch.zeros(n, n, dtype=F64)
    steps = []
    for i in range(n - 1):
        wins[i, i + 1], wins[i + 1, i] = draw.integer(20, 40), draw.integer(8, 18)
        steps.append(math.log(wins[i + 1, i] / wins[i, i + 1]))
    want = torch.tensor([0.0, *steps], dtype=F64).cumsum(0)
    expect(fitted_gaps(student, wins)).close(
        want,
        "A pair that was never compared contributes nothing: no 0/0, and no vote made up for it.",
        rtol=1e-6,
    )


# --- sequence_reward ----------------------------------------------------------------------------


def read_at(hidden: torch.Tensor, places: list[int], w: torch.Tensor) -> torch.Tensor:
    """The dot product at one place per row, entry by entry."""
    rows = [
        sum(float(x) * float(y) for x, y in zip(hidden[b, t], w, strict=True))
        for b, t in enumerate(places)
    ]
    return torch.tensor(rows, dtype=F64)


def spans(bounds: list[tuple[int, int]], width: int) -> torch.Tensor:
    """[B, width] masks with ones from first to last, both included."""
    place = torch.arange(width)
    return torch.stack([((place >= a) & (place <= b)).long() for a, b in bounds])


def pooled(hidden: torch.Tensor, mask: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """Mean pooling over real tokens: a mistake."""
    return ((hidden @ w) * mask).sum(1) / mask.sum(1)


@exercise("sequence_reward")
def test_right_padding(student: Student, draw: Draw):
    """Texts of different lengths, padded on the right; one has a single token."""
    hidden, w = 3 * draw.normal(4, 7, 3), draw.normal(3)
    ends = draw.shuffled([0, 2, 4, 6])
    mask = spans([(0, e) for e in ends], 7)
    expect(student.sequence_reward(hidden, mask, w)).close(
        read_at(hidden, ends, w),
        "Read the reward at the last token whose mask is 1; shape [B].",
        mistakes={
            "You read the last position, which is padding here.": hidden[:, -1] @ w,
            "You averaged over the tokens.": pooled(hidden, mask, w),
        },
    )


@exercise("sequence_reward")
def test_left_padding(student: Student, draw: Draw):
    """Texts of different lengths, padded on the left."""
    hidden, w = 3 * draw.normal(4, 6, 5), draw.normal(5)
    mask = spans([(a, 5) for a in draw.shuffled([1, 2, 3, 5])], 6)
    counted = read_at(hidden, [int(m.sum()) - 1 for m in mask], w)
    expect(student.sequence_reward(hidden, mask, w)).close(
        read_at(hidden, [5] * 4, w),
        "With padding on the left the last real token is the last position.",
        mistakes={"mask.sum() - 1 is the last real token only with padding on the right.": counted},
    )


@exercise("sequence_reward")
def test_padding_on_both_sides_and_none(student: Student, draw: Draw):
    """One batch with padding on the left, on the right, on both sides and nowhere."""
    hidden, w = 3 * draw.normal(4, 6, 2), draw.normal(2)
    bounds = draw.shuffled([(2, 5), (0, 3), (1, 4), (0, 5)])
    expect(student.sequence_reward(hidden, spans(bounds, 6), w)).close(
        read_at(hidden, [b for _, b in bounds], w),
        "Find the last real token of each row from its own mask: rows may be padded differently, "
        "or not at all.",
    )


@exercise("sequence_reward", weight=0.5)
def test_one_long_text(student: Student, draw: Draw):
    """A batch of one text of thousands of tokens, padded on the right."""
    hidden, w = draw.normal(1, 3000, 2), draw.normal(2)
    end = 2 * draw.integer(1100, 1400) + 1
    expect(student.sequence_reward(hidden, spans([(0, end)], 3000), w)).close(
        read_at(hidden, [end], w),
        "A batch of one text keeps its dimension, and positions in the thousands need a wide "
        "integer type: int8 and float16 cannot count that far.",
    )


@exercise("sequence_reward", weight=0.5)
def test_padding_may_hold_anything(student: Student, draw: Draw):
    """Padding filled with huge numbers; then texts of one token with hidden states of width 1."""
    hidden, w = 3 * draw.normal(3, 6, 2), draw.normal(2)
    mask, ends = spans([(0, 3), (2, 5), (1, 2)], 6), [3, 5, 2]
    hidden = torch.where(mask[..., None] > 0, hidden, 1e15 * torch.ones_like(hidden))
    message = "What stands at padding must not reach the reward at all: pick one position, [B]."
    expect(student.sequence_reward(hidden, mask, w)).close(read_at(hidden, ends, w), message)
    hidden, w = draw.normal(2, 1, 1), draw.normal(1)
    got = student.sequence_reward(hidden, spans([(0, 0), (0, 0)], 1), w)
    expect(got).close(read_at(hidden, [0, 0], w), message)


@exercise("sequence_reward", weight=0.5)
def test_masks_of_every_type(student: Student, draw: Draw):
    """The mask as booleans and as floats."""
    hidden, w = draw.normal(3, 5, 4), draw.normal(4)
    mask = spans([(0, 2), (1, 3), (3, 4)], 5)
    want = read_at(hidden, [2, 3, 4], w)
    text = "The mask may be of bool, int64 or float: convert it before you compute with it."
    for dtype in (torch.bool, torch.float32):
        arguments = hidden, mask.to(dtype), w
        expect(student.raised("sequence_reward", *arguments)).equals(None, text)
        expect(student.sequence_reward(*arguments)).close(want, text)


@exercise("sequence_reward", weight=0.5)
def test_reward_trains_head_and_body(student: Student, draw: Draw):
    """Gradients in the hidden states and in the head, by value."""
    hidden, w, cotangent = draw.normal(3, 4, 2), draw.normal(2), draw.normal(3)
    places = [1, 3, 2]
    got = student.grad(
        "sequence_reward",
        hidden,
        spans([(0, 1), (2, 3), (1, 2)], 4),
        w,
        wrt=(0, 2),
        cotangent=cotangent,
    )
    body = torch.zeros_like(hidden)
    for row, place in enumerate(places):
        body[row, place] = cotangent[row] * w
    head = sum(cotangent[row] * hidden[row, place] for row, place in enumerate(places))
    expect([got.grads[0], got.grads[2]]).close([body, head], NO_GRADIENT)


# --- kl_objective -------------------------------------------------------------------------------


@exercise("kl_objective", weight=2)
def test_objective_is_reward_minus_beta_kl(student: Student, draw: Draw):
    """A table of prompts with five completions each, beta not 1."""
    p, ref, r = draw.probs(2, 3, 5), draw.probs(2, 3, 5), draw.normal(2, 3, 5)
    beta = draw.choice([0.3, 0.6, 2.5])
    gain, cost = (p * r).sum(-1), kl(p, ref)
    expect(student.kl_objective(p, ref, r, beta)).close(
        gain - beta * cost,
        "J = E_pi[R] - beta * KL(pi || pi_ref), one value per prompt.",
        mistakes={
            "You computed KL(pi_ref || pi): the expectation is under the trained policy.": (
                gain - beta * kl(ref, p)
            ),
            "The KL is a price: subtract it.": gain + beta * cost,
            "beta multiplies the KL.": gain - cost,
            "Rewards are averaged under the policy, not under the reference.": (
                (ref * r).sum(-1) - beta * cost
            ),
            "The regularised reward is averaged under the policy, not under the reference.": (
                (ref * (r - beta * (p / ref).log())).sum(-1)
            ),
            "The objective is E[R] - beta * KL; you divided by beta and turned the sign.": (
                cost - gain / beta
            ),
        },
    )


@exercise("kl_objective")
def test_impossible_completions_count_nothing(student: Student, draw: Draw):
    """A policy with zeros, for a single prompt."""
    ref, r = draw.probs(4), draw.normal(4)
    p = torch.cat([draw.probs(2), torch.zeros(2, dtype=F64)])
    expect(student.kl_objective(p, ref, r, 0.7)).close(
        objective(p, ref, r, 0.7),
        "A completion with probability 0 adds 0 to the KL: 0 ln 0 = 0, without nan and without an "
        "epsilon.",
    )


@exercise("kl_objective")
def test_objective_is_differentiable_in_the_policy(student: Student, draw: Draw):
    """The gradient in the probabilities, by value; a large beta."""
    p, ref, r = draw.probs(4), draw.probs(4), draw.normal(4)
    got = student.grad("kl_objective", p, ref, r, 12.0, wrt=(0,))
    want = r - 12.0 * ((p / ref).log() + 1)
    expect(got.grads[0]).close(
        want, f"The slope in pi(y) is R(y) - beta * (ln(pi / pi_ref) + 1). {NO_GRADIENT}"
    )


@exercise("kl_objective")
def test_tiny_references_and_a_large_beta(student: Student, draw: Draw):
    """A likely completion that the reference all but excludes; beta = 40."""
    p, r, rest = draw.probs(3), draw.normal(3), draw.probs(2)
    ref = torch.cat([torch.tensor([1e-12], dtype=F64), rest * (1 - 1e-12)])
    expect(student.kl_objective(p, ref, r, 40.0)).close(
        objective(p, ref, r, 40.0),
        "Tiny probabilities of the reference count in full, and so does beta: no clamp, no "
        "epsilon.",
    )


# --- log_partition ------------------------------------------------------------------------------


@exercise("log_partition", weight=2)
def test_partition_function_of_several_prompts(student: Student, draw: Draw):
    """A table of prompts with four completions each, beta not 1."""
    ref, r, beta = draw.probs(2, 3, 4), draw.normal(2, 3, 4), draw.choice([0.4, 0.7, 2.0])
    each = weights(ref, r, beta)
    want = each.sum(-1).log()
    expect(student.log_partition(ref, r, beta)).close(
        want,
        "Return ln Z with Z = sum of pi_ref * e^(R / beta), one per prompt.",
        mistakes={
            "This is beta ln Z: return ln Z itself.": beta * want,
            "This is Z, not its logarithm.": each.sum(-1),
            "This is log10: ln is the natural logarithm.": want / math.log(10),
            "The reference is missing from Z.": weights(torch.ones_like(ref), r, beta)
            .sum(-1)
            .log(),
            "R is divided by beta, not multiplied.": weights(ref, r, 1 / beta).sum(-1).log(),
            "You summed over the whole batch: each prompt has its own Z.": each.sum().log(),
            "The sign of R is wrong.": weights(ref, -r, beta).sum(-1).log(),
        },
    )


@exercise("log_partition")
def test_rewards_far_above_beta(student: Student, draw: Draw):
    """R / beta in the thousands, of both signs."""
    ref, gap, top = draw.probs(2, 3), draw.normal(2, 3), draw.uniform(20, 40, 2, 1)
    sign = torch.tensor([[1.0], [-1.0]], dtype=F64)
    want = (sign * top / 0.01).squeeze(-1) + weights(ref, gap, 1.0).sum(-1).log()
    expect(student.log_partition(ref, sign * top + 0.01 * gap, 0.01)).close(
        want,
        "e^(R / beta) overflows for large R / beta and is 0 for very negative ones: use logsumexp.",
    )


@exercise("log_partition")
def test_tiny_references_and_rewards_beyond_all_limits(student: Student, draw: Draw):
    """A completion of 1e-14 whose reward makes up for it; R / beta of a million, either sign."""
    ref = torch.cat([torch.tensor([1e-14], dtype=F64), draw.probs(3) * (1 - 1e-14)])
    gap = draw.normal(4)
    gap[0] += math.log(1e14)
    want = weights(ref, gap, 1.0).sum().log()
    for zero in (0.0, 1e6, -1e6):
        expect(student.log_partition(ref, (gap + zero) / 1000, 1e-3)).close(
            want + zero,
            "ln pi_ref + R / beta counts as it is: no clamp, no epsilon in the logarithm.",
        )


@exercise("log_partition")
def test_slope_of_log_partition_is_the_optimal_policy(student: Student, draw: Draw):
    """The gradient of ln Z in the rewards, by value; one completion is impossible."""
    ref = torch.cat([draw.probs(3), torch.zeros(1, dtype=F64)])
    r = torch.cat([draw.normal(3), torch.tensor([3000.0], dtype=F64)])
    possible = optimum(ref[:3], r[:3], 0.6)
    got = student.grad("log_partition", ref, r, 0.6, wrt=(1,))
    expect(got.grads[1]).close(
        torch.cat([possible, torch.zeros(1, dtype=F64)]) / 0.6,
        "The derivative of ln Z in R(y) is pi*(y) / beta; zeros of the reference are allowed "
        "and add nothing to Z, however large the reward. " + NO_GRADIENT,
    )


# --- optimal_policy -----------------------------------------------------------------------------


@exercise("optimal_policy", weight=2)
def test_policy_is_the_tilted_reference(student: Student, draw: Draw):
    """A table of prompts with four completions each, beta not 1."""
    ref, r, beta = draw.probs(2, 3, 4), draw.normal(2, 3, 4), draw.choice([0.4, 0.7, 2.0])
    each = weights(ref, r, beta)
    expect(student.optimal_policy(ref, r, beta)).close(
        each / each.sum(-1, keepdim=True),
        "pi*(y) = pi_ref(y) e^(R(y) / beta) / Z.",
        mistakes={
            "The reference is missing: this is softmax(R / beta).": torch.softmax(r / beta, -1),
            "R is divided by beta, not multiplied.": optimum(ref, r, 1 / beta),
            "You normalised over the whole batch: each prompt has its own Z.": each / each.sum(),
            "You did not divide by Z.": each,
            "The sign of R is wrong: large rewards must gain probability.": optimum(ref, -r, beta),
            "This adds probabilities: the reference multiplies e^(R / beta).": (
                (ref + torch.softmax(r / beta, -1)) / 2
            ),
        },
    )


@exercise("optimal_policy", weight=2)
def test_no_policy_of_a_cloud_does_better(student: Student, draw: Draw):
    """Ten thousand other policies, some far away and some very close, one prompt."""
    ref, r, beta = draw.probs(4), draw.normal(4), draw.choice([0.5, 0.8])
    got = student.optimal_policy(ref, r, beta)
    expect(got).tensor([4], F64, "Return [K] float64 probabilities.")
    fits = bool((got >= 0).all()) and abs(float(got.sum()) - 1) < 1e-9
    expect(got).true(fits, "The policy must be a distribution: divide by Z.")
    far = torch.from_numpy(draw.numpy.dirichlet([1.0] * 4, size=8000))
    near = torch.softmax(got.clamp_min(1e-300).log() + 0.01 * draw.normal(2000, 4), -1)
    best = objective(torch.cat([far, near]), ref, r, beta).max()
    expect(got).true(
        objective(got, ref, r, beta) >= best,
        "Another policy has a larger J = E[R] - beta KL(pi || pi_ref): yours is not the maximiser.",
    )


@exercise("optimal_policy", weight=2)
def test_small_beta_stays_finite(student: Student, draw: Draw):
    """R / beta in the thousands; each prompt's rewards have another zero point."""
    ref, gap = draw.probs(3, 4), draw.normal(3, 4)
    zero = torch.tensor([[30.0], [-30.0], [12.0]], dtype=F64)
    expect(student.optimal_policy(ref, zero + 0.01 * gap, 0.01)).close(
        optimum(ref, gap, 1.0),
        "e^(R / beta) overflows: add R / beta to ln pi_ref and take a softmax. A constant "
        "added to all rewards of a prompt changes nothing.",
    )


@exercise("optimal_policy")
def test_beta_of_any_size(student: Student, draw: Draw):
    """R / beta in the millions with close rewards, and a beta of a thousand."""
    ref, gap = draw.probs(4), draw.normal(4)
    message = "beta and R / beta count as they are, however large or small: no clamp, no floor."
    expect(student.optimal_policy(ref, 20 + 1e-5 * gap, 1e-5)).close(
        optimum(ref, gap, 1.0), message, rtol=1e-6
    )
    expect(student.optimal_policy(ref, 300 * gap, 1000.0)).close(
        optimum(ref, 0.3 * gap, 1.0), message
    )


@exercise("optimal_policy")
def test_tiny_and_zero_reference_probabilities(student: Student, draw: Draw):
    """One completion is all but impossible under the reference, one is impossible."""
    rest = draw.probs(2)
    ref = torch.cat([rest * (1 - 1e-14), torch.tensor([1e-14, 0.0], dtype=F64)])
    r = torch.tensor([0.0, 0.0, math.log(1e14), 5000.0], dtype=F64)
    want = torch.cat([rest * (1 - 1e-14), torch.tensor([1.0, 0.0], dtype=F64)]) / (2 - 1e-14)
    expect(student.optimal_policy(ref, r, 1.0)).close(
        want,
        "No epsilon in ln pi_ref: tiny probabilities count in full, and what the reference "
        "excludes stays excluded, without nan, however large its reward.",
    )


# --- objective_gap ------------------------------------------------------------------------------


@exercise("objective_gap", weight=2)
def test_gap_is_the_objective_lost(student: Student, draw: Draw):
    """A table of prompts; the objective at the optimum minus the objective at the policy."""
    p, ref, r = draw.probs(2, 3, 4), draw.probs(2, 3, 4), 2 * draw.normal(2, 3, 4)
    beta = draw.choice([0.4, 0.7, 2.0])
    best = optimum(ref, r, beta)
    want = objective(best, ref, r, beta) - objective(p, ref, r, beta)
    expect(student.objective_gap(p, ref, r, beta)).close(
        want,
        "J(pi*) - J(pi) = beta * KL(pi || pi*), one value per prompt.",
        mistakes={
            "The factor beta is missing.": want / beta,
            "You swapped the two policies: the KL is taken under pi, not under pi*.": (
                beta * kl(best, p)
            ),
            "This is the KL to the reference, not to pi*.": beta * kl(p, ref),
            "This is J(pi) - J(pi*): the regret is at least 0.": -want,
            "The reference is missing from pi*.": beta * kl(p, torch.softmax(r / beta, -1)),
            "You averaged the reward at pi and at pi* but left out the KL terms.": (
                ((best - p) * r).sum(-1)
            ),
            "This is beta ln Z, the value of J at pi*, not the gap.": (
                objective(best, ref, r, beta)
            ),
        },
    )


@exercise("objective_gap")
def test_no_regret_at_the_optimum(student: Student, draw: Draw):
    """The optimal policy itself, for a single prompt."""
    ref, r = draw.probs(5), draw.normal(5)
    expect(student.objective_gap(optimum(ref, r, 0.6), ref, r, 0.6)).close(
        scalar(0.0),
        "At pi* = pi_ref e^(R / beta) / Z nothing is lost: the regret is 0, and 0-d.",
        scale=1e-3,
    )


@exercise("objective_gap")
def test_greedy_policies_have_a_finite_regret(student: Student, draw: Draw):
    """Policies with zeros."""
    ref, r = draw.probs(2, 3), draw.normal(2, 3)
    p = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.25, 0.75]], dtype=F64)
    want = objective(optimum(ref, r, 0.5), ref, r, 0.5) - objective(p, ref, r, 0.5)
    expect(student.objective_gap(p, ref, r, 0.5)).close(
        want, "0 ln 0 = 0: a policy that never plays a completion has a finite regret."
    )


@exercise("objective_gap")
def test_small_beta_has_a_finite_regret(student: Student, draw: Draw):
    """R / beta in the thousands: the optimum gives all but one completion no probability."""
    p, ref, beta = draw.probs(4), draw.probs(4), 1e-3
    r = torch.tensor(draw.shuffled([3.0, 1.0, -0.5, -2.0]), dtype=F64) + 0.1 * draw.normal(4)
    best = r.max() + beta * ref[r.argmax()].log()  # beta ln Z: the other terms are below e^-1000
    expect(student.objective_gap(p, ref, r, beta)).close(
        best - objective(p, ref, r, beta),
        "The optimum underflows to 0: take ln pi* = ln pi_ref + R / beta - ln Z, not the "
        "logarithm of its probabilities.",
    )


@exercise("objective_gap")
def test_one_reference_for_many_policies(student: Student, draw: Draw):
    """Policies [3, 4] against one reference and one set of rewards, [4], some in the thousands."""
    p, ref = draw.probs(3, 4), draw.probs(4)
    r = torch.tensor(draw.shuffled([5000.0, 1.0, -0.5, -4000.0]), dtype=F64)
    for rewards, beta in ((r, 0.01), (r / 1000, 2.5)):
        best = optimum(ref, (rewards - rewards.max()).clamp_min(-700 * beta), beta)
        want = objective(best, ref, rewards, beta) - objective(p, ref, rewards, beta)
        expect(student.objective_gap(p, ref, rewards, beta)).close(
            want,
            "The arguments broadcast, [..., K] against [K]; and a regret may be large: no clamp.",
        )


# --- implicit_reward ----------------------------------------------------------------------------


@exercise("implicit_reward", weight=2)
def test_reward_is_beta_times_the_log_ratio(student: Student, draw: Draw):
    """A table of log-probabilities, beta not 1."""
    logp, ref = -draw.uniform(5, 40, 2, 3), -draw.uniform(5, 40, 2, 3)
    beta = draw.choice([0.05, 0.3, 2.0])
    h = logp - ref
    expect(student.implicit_reward(logp, ref, beta)).close(
        beta * h,
        "The implicit reward is beta * (ln pi - ln pi_ref).",
        mistakes={
            "The sign is wrong: policy minus reference.": -beta * h,
            "The factor beta is missing.": h,
            "Multiply by beta, do not divide.": h / beta,
            "beta multiplies the whole log-ratio, reference included.": beta * logp - ref,
            "The reference is missing.": beta * logp,
            "The inputs are log-probabilities already: no logarithm of their ratio.": (
                beta * (logp / ref).log()
            ),
        },
    )


@exercise("implicit_reward")
def test_long_completions_do_not_underflow(student: Student, draw: Draw):
    """Log-probabilities of completions with thousands of tokens."""
    ref = -draw.uniform(100_000, 500_000, 4)
    h = draw.uniform(60_000, 90_000, 4) * torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=F64)
    expect(student.implicit_reward(ref + h, ref, 20.0)).close(
        20.0 * h,
        "Implicit rewards of any size count in full, without a clamp. exp of such "
        "log-probabilities is 0: subtract logarithms, do not divide probabilities.",
    )


@exercise("implicit_reward")
def test_implicit_reward_is_differentiable(student: Student, draw: Draw):
    """The gradient in the policy's log-probabilities, by value."""
    logp, ref, cotangent = -draw.uniform(5, 40, 4), -draw.uniform(5, 40, 4), draw.normal(4)
    got = student.grad("implicit_reward", logp, ref, 0.3, wrt=(0,), cotangent=cotangent)
    expect(got.grads[0]).close(0.3 * cotangent, NO_GRADIENT)


# --- optimal_log_odds ---------------------------------------------------------------------------


def value_of(tree, point: dict[str, float]) -> float:
    """The value of the student's formula; no value is a failed test with a fixed text."""
    try:
        return formulas.evaluate(tree, point)
    except formulas.FormulaError:
        raise CheckFailed(
            "The formula has no value: return a nested list in the allowed heads and in the names "
            "ref_w, ref_l, reward_w, reward_l, beta (there is no Z), with at most 100 parts."
        ) from None


def random_point(draw: Draw) -> dict[str, float]:
    """References that differ, rewards that differ, beta not 1."""
    ref_l = float(draw.uniform(0.05, 0.2, 1)[0])
    reward_l = float(draw.uniform(-1, 1, 1)[0])
    return {
        "ref_w": ref_l * float(draw.uniform(1.5, 4, 1)[0]),
        "ref_l": ref_l,
        "reward_w": reward_l + float(draw.uniform(0.5, 2, 1)[0]),
        "reward_l": reward_l,
        "beta": draw.choice([0.3, 0.6, 2.5]),
    }


@exercise("optimal_log_odds")
def test_equal_rewards_leave_the_reference(student: Student, draw: Draw):
    """The formula where both rewards are equal."""
    point = random_point(draw)
    point["reward_w"] = point["reward_l"]
    ratio = point["ref_w"] / point["ref_l"]
    expect(value_of(student.optimal_log_odds(), point)).close(
        math.log(ratio),
        "With equal rewards the log-odds are those of the reference, ln(ref_w / ref_l).",
        scale=1.0,
        mistakes={
            "These are odds: take the logarithm.": ratio,
            "You swapped the two completions.": -math.log(ratio),
            "The reference is missing.": 0.0,
            "The references are probabilities: take their logarithms.": (
                point["ref_w"] - point["ref_l"]
            ),
            "beta multiplies rewards only, not the reference.": point["beta"] * math.log(ratio),
        },
    )


@exercise("optimal_log_odds")
def test_equal_references_leave_the_rewards(student: Student, draw: Draw):
    """The formula where both references are equal."""
    point = random_point(draw)
    point["ref_w"] = point["ref_l"]
    gap, beta = point["reward_w"] - point["reward_l"], point["beta"]
    expect(value_of(student.optimal_log_odds(), point)).close(
        gap / beta,
        "With equal references the log-odds are (reward_w - reward_l) / beta.",
        mistakes={
            "These are odds: take the logarithm.": math.exp(gap / beta),
            "You swapped the two completions.": -gap / beta,
            "Divide the rewards by beta, do not multiply.": gap * beta,
            "beta is missing.": gap,
        },
    )


@exercise("optimal_log_odds")
def test_log_odds_at_random_points(student: Student, draw: Draw):
    """The formula at five points where everything differs, against an enumerated policy."""
    tree = student.optimal_log_odds()
    for _ in range(5):
        point = random_point(draw)
        others = draw.uniform(-1, 1, 2)
        rest = (1 - point["ref_w"] - point["ref_l"]) / 2
        ref = torch.tensor([point["ref_w"], point["ref_l"], rest, rest], dtype=F64)
        r = torch.cat([scalar(point["reward_w"])[None], scalar(point["reward_l"])[None], others])
        policy = optimum(ref, r, point["beta"])
        expect(value_of(tree, point)).close(
            math.log(policy[0] / policy[1]),
            "The log-odds are ln(ref_w / ref_l) plus the difference of rewards over beta.",
        )


# --- dpo_loss -----------------------------------------------------------------------------------


@exercise("dpo_loss", weight=2)
def test_dpo_loss_of_a_batch(student: Student, draw: Draw):
    """Pairs of both orders, beta not 1, mean by default."""
    pairs, beta = pairs_of_logps(draw, 7), draw.choice([0.2, 0.5, 1.7])
    gap = gap_of(pairs)
    chosen, rejected, ref_chosen, ref_rejected = pairs
    expect(student.dpo_loss(*pairs, beta)).close(
        nll(beta * gap).mean(),
        "The loss is the mean of -ln sigma(beta * (h_w - h_l)), h = logp - ref_logp.",
        mistakes={
            "You summed over the pairs: the default is the mean.": nll(beta * gap).sum(),
            "The reference is missing.": nll(beta * (chosen - rejected)).mean(),
            "The reference enters with the wrong sign, or the two references are swapped.": nll(
                beta * ((chosen + ref_chosen) - (rejected + ref_rejected))
            ).mean(),
            "The factor beta is missing.": nll(gap).mean(),
            "Multiply by beta, do not divide.": nll(gap / beta).mean(),
            "You swapped chosen and rejected.": nll(-beta * gap).mean(),
            "beta multiplies the log-ratios inside sigma, not the loss.": beta * nll(gap).mean(),
        },
    )


@exercise("dpo_loss")
def test_reductions_of_dpo(student: Student, draw: Draw):
    """The three reductions, one that does not exist, and a batch of one pair."""
    pairs = pairs_of_logps(draw, 5)
    each = nll(0.4 * gap_of(pairs))
    text = 'reduction is "mean", "sum" (both 0-d) or "none" (one loss per pair).'
    expect(student.dpo_loss(*pairs, 0.4, reduction="none")).close(each, text)
    expect(student.dpo_loss(*pairs, 0.4, reduction="sum")).close(each.sum(), text)
    expect(student.dpo_loss(*pairs, 0.4, reduction="mean")).close(each.mean(), text)
    single = pairs_of_logps(draw, 1)
    expect(student.dpo_loss(*single, 0.4, reduction="none")).close(
        nll(0.4 * gap_of(single)), "A batch of one pair is still a batch: keep its dimension."
    )
    for other in ("median", "MEAN", "", None):
        expect(student.raised("dpo_loss", *pairs, 0.4, reduction=other)).equals(
            "ValueError", "Any other reduction raises a ValueError."
        )


@exercise("dpo_loss")
def test_a_settled_pair_still_costs_a_little(student: Student, draw: Draw):
    """One pair with beta = 4 and a gap of about 6: the loss is about e^-24, not 0."""
    chosen, rejected, ref_chosen, _ = pairs_of_logps(draw, 1)
    ref_rejected = rejected - chosen + ref_chosen + draw.uniform(5.8, 6.2, 1)
    pairs = (chosen, rejected, ref_chosen, ref_rejected)
    expect(student.dpo_loss(*pairs, 4.0, reduction="none")).close(
        nll(4.0 * gap_of(pairs)),
        "-ln sigma(z) never reaches 0, and beta counts as it is: softplus(-z) or -logsigmoid(z), "
        "without threshold or cap.",
        rtol=1e-6,
    )


@exercise("dpo_loss")
def test_gradients_of_dpo(student: Student, draw: Draw):
    """Gradients in the chosen and rejected log-probabilities, by value, also at huge gaps."""
    pairs = list(pairs_of_logps(draw, 6))
    pairs[0][:2] += torch.tensor([300_000.0, -300_000.0], dtype=F64)
    got = student.grad("dpo_loss", *pairs, 0.5, wrt=(0, 1))
    pull = 0.5 * sigma(-0.5 * gap_of(pairs)) / 6
    message = (
        "The gradient is -beta sigma(-beta gap) / B in the chosen and the opposite in the rejected "
        "logps, also where sigma underflows."
    )
    expect(got.value).close(nll(0.5 * gap_of(pairs)).mean(), message)
    expect([got.grads[0], got.grads[1]]).close([-pull, pull], message)


@exercise("dpo_loss")
def test_reference_of_dpo_gets_no_gradient(student: Student, draw: Draw):
    """References that ask for a gradient."""
    got = student.grad("dpo_loss", *pairs_of_logps(draw, 4), 0.5, wrt=(0, 2, 3))
    expect(got).true(got.grads[0] is not None and bool(got.grads[0].any()), NO_GRADIENT)
    leaks = any(got.grads[k] is not None and bool(got.grads[k].any()) for k in (2, 3))
    expect(got).true(not leaks, "A gradient reaches the reference, which is a constant: detach it.")


# --- dpo_loss_gradient --------------------------------------------------------------------------


@exercise("dpo_loss_gradient", weight=2)
def test_gradient_formula(student: Student, draw: Draw):
    """Both derivatives of the mean loss, against autograd."""
    pairs, beta = pairs_of_logps(draw, 7), draw.choice([0.2, 0.5, 1.7])
    chosen, rejected = (each.clone().requires_grad_() for each in pairs[:2])
    loss = nll(beta * gap_of((chosen, rejected, *pairs[2:]))).mean()
    down, up = torch.autograd.grad(loss, (chosen, rejected))
    other = beta / 7 - up
    expect(student.dpo_loss_gradient(*pairs, beta)).close(
        (down, up),
        "The derivatives are -beta sigma(-beta gap) / B and +beta sigma(-beta gap) / B.",
        mistakes={
            "The 1/B of the mean is missing.": (7 * down, 7 * up),
            "The factor beta of the chain rule is missing.": (down / beta, up / beta),
            "The weight is sigma(-beta gap), the probability of the wrong order.": (-other, other),
            "The signs are swapped: descent must raise the chosen log-probability.": (up, down),
            "Both derivatives have the same sign: the rejected one is the opposite.": (down, down),
            "beta is missing inside sigma.": tuple(
                sign * beta * sigma(-gap_of(pairs)) / 7 for sign in (-1, 1)
            ),
            "The reference is missing.": tuple(
                sign * beta * sigma(-beta * (pairs[0] - pairs[1])) / 7 for sign in (-1, 1)
            ),
        },
    )


@exercise("dpo_loss_gradient")
def test_gradient_at_huge_gaps(student: Student, draw: Draw):
    """Gaps of thousands, of both signs."""
    zero, size = torch.zeros(2, dtype=F64), draw.uniform(2000, 4000, 1)
    got = student.dpo_loss_gradient(torch.cat([size, -size]), zero, zero, zero, 0.7)
    want = torch.tensor([0.0, 0.35], dtype=F64)
    expect(got).close(
        (-want, want),
        "At huge gaps sigma is 0 or 1: an exponential of the gap overflows, use torch.sigmoid.",
    )


@exercise("dpo_loss_gradient")
def test_gradient_of_one_pair_with_a_large_beta(student: Student, draw: Draw):
    """A batch of one pair, beta = 6."""
    pairs = pairs_of_logps(draw, 1)
    pairs = (pairs[0], pairs[0] - 0.3, pairs[2], pairs[2] + draw.uniform(-0.2, 0.2, 1))
    pull = 6 * sigma(-6 * gap_of(pairs))
    expect(student.dpo_loss_gradient(*pairs, 6.0)).close(
        (-pull, pull), "A batch of one pair keeps its dimension, [1], and beta counts as it is."
    )


# --- dpo_population_gradient --------------------------------------------------------------------


@exercise("dpo_population_gradient")
def test_optimal_policy_is_stationary_under_bradley_terry(student: Student, draw: Draw):
    """Exact Bradley-Terry labels at pi*: the gradient vanishes for every pair law."""
    ref, r, beta = draw.probs(4), draw.normal(4), draw.choice([0.4, 0.7, 2.0])
    mu = draw.probs(16).reshape(4, 4)
    theta = ref.log() + r / beta + float(draw.normal(1)[0])
    prefs = sigma(r[:, None] - r[None, :])
    expect(student.dpo_population_gradient(theta, prefs, mu, ref, beta)).close(
        torch.zeros(4, dtype=F64),
        "At pi* under Bradley-Terry labels the gradient is 0: compare sigma(beta * gap of h) with "
        "the label probability, with beta, with the reference, and count both outcomes.",
        scale=1e-3,
    )


@exercise("dpo_population_gradient", weight=2)
def test_gradient_for_arbitrary_labels(student: Student, draw: Draw):
    """Labels that no rewards explain, an asymmetric pair law with a diagonal, random logits."""
    theta, ref, prefs = draw.normal(4), draw.probs(4), preferences(draw, 4)
    mu, beta = draw.probs(16).reshape(4, 4), draw.choice([0.4, 0.7, 2.0])
    want = population_gradient(theta, prefs, mu, ref, beta)
    h = theta.log_softmax(0) - ref.log()
    opinion = sigma(beta * (h[:, None] - h[None, :]))
    wins = beta * mu * prefs * (opinion - 1)
    pull = beta * mu * (opinion - prefs)
    uniform = beta * (opinion - prefs) / 16
    expect(student.dpo_population_gradient(theta, prefs, mu, ref, beta)).close(
        want,
        "Sum mu_ij * beta * (sigma(beta gap_ij) - p_ij) over all pairs: plus at i, minus at j.",
        mistakes={
            "You counted only the votes that the first completion wins.": (
                wins.sum(1) - wins.sum(0)
            ),
            "The factor beta of the chain rule is missing.": want / beta,
            "beta is missing: sigma takes beta times the gap.": population_gradient(
                theta, prefs, mu, ref, 1.0
            ),
            "The reference is missing: h = ln pi - ln pi_ref.": population_gradient(
                theta, prefs, mu, torch.full_like(ref, 0.25), beta
            ),
            "The sign is wrong: this is the direction of ascent.": -want,
            "You left out the second completion of each pair.": pull.sum(1),
            "mu is missing: pairs are not equally frequent.": uniform.sum(1) - uniform.sum(0),
            "prefs[i, j] is the probability that i wins, not j.": population_gradient(
                theta, prefs.T, mu, ref, beta
            ),
        },
    )


@exercise("dpo_population_gradient")
def test_deterministic_labels_push_past_the_optimum(student: Student, draw: Draw):
    """Labels of 0 and 1 at the optimal policy."""
    ref, beta = draw.probs(3), draw.choice([0.4, 0.7, 2.0])
    r = torch.tensor(draw.shuffled([2.5, 2.0, 1.0]), dtype=F64)
    mu = torch.outer(draw.probs(3), draw.probs(3))
    prefs = ((r[:, None] - r[None, :]).sign() + 1) / 2
    theta = ref.log() + r / beta
    expect(student.dpo_population_gradient(theta, prefs, mu, ref, beta)).close(
        population_gradient(theta, prefs, mu, ref, beta),
        "Labels of exactly 0 and 1 are ordinary label probabilities: use them as they are. Under "
        "them the gradient does not vanish at pi*.",
    )


@exercise("dpo_population_gradient")
def test_extreme_logits_stay_finite(student: Student, draw: Draw):
    """Logits that are thousands apart, with a usual beta and with a tiny one."""
    theta = torch.tensor([1500.0, 0.0, -1500.0], dtype=F64) + draw.normal(3)
    prefs, mu, ref = preferences(draw, 3), draw.probs(9).reshape(3, 3), draw.probs(3)
    for beta in (0.8, 1e-3):
        expect(student.dpo_population_gradient(theta, prefs, mu, ref, beta)).close(
            population_gradient(theta, prefs, mu, ref, beta),
            "softmax underflows to 0 before the logarithm: use log_softmax, or the logits "
            "themselves, and clamp nothing.",
        )


# --- ipo_loss -----------------------------------------------------------------------------------


@exercise("ipo_loss", weight=2)
def test_ipo_loss_of_a_batch(student: Student, draw: Draw):
    """Pairs of both orders, mean by default."""
    pairs, tau = pairs_of_logps(draw, 7), draw.choice([0.15, 0.3, 0.8])
    gap = gap_of(pairs)
    target = 1 / (2 * tau)
    expect(student.ipo_loss(*pairs, tau)).close(
        ((gap - target) ** 2).mean(),
        "The loss is the mean of (gap - 1 / (2 tau))^2 with sums over tokens.",
        mistakes={
            "The target is 1 / (2 tau), not 1 / tau.": ((gap - 2 * target) ** 2).mean(),
            "The target is 1 / (2 tau), not tau / 2.": ((gap - tau / 2) ** 2).mean(),
            "This is tau^2 times the loss: (1/2 - tau gap)^2 is another scaling.": (
                ((0.5 - tau * gap) ** 2).mean()
            ),
            "You summed over the pairs: the default is the mean.": ((gap - target) ** 2).sum(),
            "The reference is missing.": ((pairs[0] - pairs[1] - target) ** 2).mean(),
            "You swapped chosen and rejected.": ((-gap - target) ** 2).mean(),
            "You stop at the target: IPO also pulls back what is beyond it.": (
                (target - gap).clamp_min(0) ** 2
            ).mean(),
        },
    )


@exercise("ipo_loss")
def test_tau_of_any_size(student: Student, draw: Draw):
    """A tau of 0.001, whose target is far away, and one of 20."""
    pairs = pairs_of_logps(draw, 5)
    for tau in (0.001, 20.0):
        expect(student.ipo_loss(*pairs, tau)).close(
            ((gap_of(pairs) - 1 / (2 * tau)) ** 2).mean(),
            "The target is 1 / (2 tau) for every tau, however far away: no cap.",
        )


@exercise("ipo_loss")
def test_target_is_a_two_sided_minimum(student: Student, draw: Draw):
    """Gaps at the target and equally far on either side of it."""
    tau = draw.choice([0.15, 0.3, 0.8])
    off = float(draw.uniform(300, 400, 1)[0])
    gap = 1 / (2 * tau) + torch.tensor([0.0, off, -off], dtype=F64)
    zero, ref = torch.zeros(3, dtype=F64), -draw.uniform(5, 30, 3)
    expect(student.ipo_loss(gap + ref, zero, ref, zero, tau, reduction="none")).close(
        torch.tensor([0.0, off**2, off**2], dtype=F64),
        "The loss is 0 at a gap of 1 / (2 tau) and equally large on both sides, without a cap.",
    )


@exercise("ipo_loss")
def test_reductions_of_ipo(student: Student, draw: Draw):
    """The three reductions, one that does not exist, and a batch of one pair."""
    pairs = pairs_of_logps(draw, 5)
    each = (gap_of(pairs) - 1.25) ** 2
    text = 'reduction is "mean", "sum" (both 0-d) or "none" (one loss per pair).'
    expect(student.ipo_loss(*pairs, 0.4, reduction="none")).close(each, text)
    expect(student.ipo_loss(*pairs, 0.4, reduction="sum")).close(each.sum(), text)
    expect(student.ipo_loss(*pairs, 0.4, reduction="mean")).close(each.mean(), text)
    single = pairs_of_logps(draw, 1)
    expect(student.ipo_loss(*single, 0.4, reduction="none")).close(
        (gap_of(single) - 1.25) ** 2, "A batch of one pair is still a batch: keep its dimension."
    )
    for other in ("median", "MEAN", "", None):
        expect(student.raised("ipo_loss", *pairs, 0.4, reduction=other)).equals(
            "ValueError", "Any other reduction raises a ValueError."
        )


@exercise("ipo_loss")
def test_gradients_of_ipo(student: Student, draw: Draw):
    """Gradients in all four log-probabilities, by value; the reference is a constant."""
    pairs, tau = pairs_of_logps(draw, 6), 0.4
    got = student.grad("ipo_loss", *pairs, tau, wrt=(0, 1, 2, 3))
    slope = 2 * (gap_of(pairs) - 1 / (2 * tau)) / 6
    expect([got.grads[0], got.grads[1]]).close(
        [slope, -slope], "The slope is 2 (gap - 1 / (2 tau)) / B, and the opposite for rejected."
    )
    leaks = any(got.grads[k] is not None and bool(got.grads[k].any()) for k in (2, 3))
    expect(got).true(not leaks, "A gradient reaches the reference, which is a constant: detach it.")


# --- ipo_two_arm_solution -----------------------------------------------------------------------


def two_arm_optimum(tau: float, p: float) -> float:
    """Vertex of the parabola through three values of the expected loss, as a probability."""
    c = 1 / (2 * tau)
    low, mid, high = (p * (d - c) ** 2 + (1 - p) * (-d - c) ** 2 for d in (-1.0, 0.0, 1.0))
    gap = (low - high) / (2 * (low - 2 * mid + high))
    return math.exp(gap) / (1 + math.exp(gap))


@exercise("ipo_two_arm_solution")
def test_certain_labels(student: Student, draw: Draw):
    """The first completion always wins; p is left at its default."""
    tau = draw.choice([0.3, 0.7, 1.3])
    expect(student.ipo_two_arm_solution(tau)).close(
        two_arm_optimum(tau, 1.0),
        "With p = 1 the optimum is sigma(1 / (2 tau)), a Python float.",
        mistakes={
            "This is DPO's answer: IPO stops at a finite gap.": 1.0,
            "The gap is 1 / (2 tau), not 1 / tau.": 1 / (1 + math.exp(-1 / tau)),
            "The gap is 1 / (2 tau), not tau / 2.": 1 / (1 + math.exp(-tau / 2)),
            "This is the gap: translate it into a probability.": 1 / (2 * tau),
        },
    )


@exercise("ipo_two_arm_solution", weight=2)
def test_uncertain_labels(student: Student, draw: Draw):
    """Label probabilities above and below one half, and a large tau."""
    usual = draw.choice([0.3, 0.7, 1.3])
    certain, doubtful = draw.choice([0.7, 0.8, 0.9]), draw.choice([0.15, 0.25, 0.35])
    for tau, p in ((usual, certain), (usual, doubtful), (20 * usual, certain)):
        odds = math.log(p / (1 - p))
        expect(student.ipo_two_arm_solution(tau, p)).close(
            two_arm_optimum(tau, p),
            "The expected loss is smallest at a gap of (2p - 1) / (2 tau).",
            mistakes={
                "p is ignored.": two_arm_optimum(tau, 1.0),
                "The average target is (2p - 1) / (2 tau), not p / (2 tau).": (
                    1 / (1 + math.exp(-p / (2 * tau)))
                ),
                "This is the answer of DPO: its gap is ln(p / (1 - p)) / tau.": (
                    1 / (1 + math.exp(-odds / tau))
                ),
                "The gap is (2p - 1) / (2 tau), not (2p - 1) / tau.": (
                    1 / (1 + math.exp(-(2 * p - 1) / tau))
                ),
                "Average the targets, not the two answers.": (
                    p * two_arm_optimum(tau, 1.0) + (1 - p) * two_arm_optimum(tau, 0.0)
                ),
            },
        )


@exercise("ipo_two_arm_solution")
def test_tiny_tau(student: Student, draw: Draw):
    """A tau of a few 1e-4: the optimum is 0, a half or 1."""
    tau = draw.choice([1e-4, 2e-4, 3e-4])
    got = [student.ipo_two_arm_solution(tau, p) for p in (0.0, 0.5, 1.0)]
    expect(got).close(
        [0.0, 0.5, 1.0],
        "math.exp of a large number raises OverflowError: use a form that is stable on both sides.",
        scale=1.0,
    )


# --- ipo_closed_form ----------------------------------------------------------------------------


def least_squares_ipo(ref, mu, prefs, tau) -> torch.Tensor:
    """Minimiser of the population IPO loss over pairs from mu x mu: weighted least squares in h."""
    n = len(ref)
    rows, targets = [torch.ones(n, dtype=F64)], [scalar(0.0)]  # the first row fixes the constant
    for i in range(n):
        for j in range(n):
            row = torch.zeros(n, dtype=F64)
            row[i] += 1
            row[j] -= 1
            weight = (mu[i] * mu[j]).sqrt()
            rows.append(weight * row)
            targets.append(weight * (2 * prefs[i, j] - 1) / (2 * tau))
    h = torch.linalg.lstsq(torch.stack(rows), torch.stack(targets)[:, None]).solution[:, 0]
    each = ref * h.exp()
    return each / each.sum()


def tilt(ref: torch.Tensor, wins: torch.Tensor, tau: float) -> torch.Tensor:
    each = ref * (wins / tau).exp()
    return each / each.sum()


@exercise("ipo_closed_form", weight=2)
def test_closed_form_minimises_the_population_loss(student: Student, draw: Draw):
    """Arbitrary preferences, reference and opponents, against a least-squares fit."""
    ref, mu, prefs = draw.probs(4), draw.probs(4), preferences(draw, 4)
    tau = draw.choice([0.2, 0.4, 0.7])
    alone = 1 - torch.eye(4, dtype=F64)
    others = alone * mu / (alone * mu).sum(1, keepdim=True)
    expect(student.ipo_closed_form(ref, mu, prefs, tau)).close(
        least_squares_ipo(ref, mu, prefs, tau),
        "The policy is proportional to ref * exp(p(y > mu) / tau), with p(y > mu) = sum_j mu_j "
        "P(y > j).",
        rtol=1e-8,
        mistakes={
            "You left y itself out of its opponents.": tilt(ref, (prefs * others).sum(1), tau),
            "You skipped the self-comparison, mu_y / 2.": tilt(ref, (prefs * alone) @ mu, tau),
            "You used the logit of the preference: that is the target of DPO.": tilt(
                ref, (prefs / (1 - prefs)).log() @ mu, tau
            ),
            "You used the logit of p(y > mu): IPO uses the probability itself.": tilt(
                ref, torch.logit(prefs @ mu), tau
            ),
            "Rows win over columns: you counted losses.": tilt(ref, prefs.T @ mu, tau),
            "The reference is missing.": tilt(torch.ones_like(ref), prefs @ mu, tau),
            "mu is missing: opponents are not equally frequent.": tilt(ref, prefs.mean(1), tau),
            "The exponent is p / tau, not p / (2 tau).": tilt(ref, prefs @ mu, 2 * tau),
            "You did not normalise.": ref * (prefs @ mu / tau).exp(),
            "Divide by tau, do not multiply.": tilt(ref, prefs @ mu, 1 / tau),
        },
    )


@exercise("ipo_closed_form")
def test_bradley_terry_labels(student: Student, draw: Draw):
    """Labels from rewards, uniform opponents: the win probability counts, not the reward."""
    r, beta = draw.uniform(1, 4, 5), 0.5
    prefs = sigma(r[:, None] - r[None, :])
    ref, uniform = draw.probs(5), torch.full((5,), 0.2, dtype=F64)
    expect(student.ipo_closed_form(ref, uniform, prefs, beta)).close(
        least_squares_ipo(ref, uniform, prefs, beta),
        "IPO optimises p(y > mu), a bounded win probability, not the Bradley-Terry reward.",
        rtol=1e-8,
        mistakes={"This is the optimum for the reward, which DPO targets.": optimum(ref, r, beta)},
    )


@exercise("ipo_closed_form")
def test_certain_labels_and_tiny_tau(student: Student, draw: Draw):
    """Labels of 0 and 1 with a tau of 1e-4: a clear winner, and a cycle without one."""
    ref, third = draw.probs(3), torch.full((3,), 1 / 3, dtype=F64)
    cycle = torch.tensor([[0.5, 1.0, 0.0], [0.0, 0.5, 1.0], [1.0, 0.0, 0.5]], dtype=F64)
    order = torch.tensor([[0.5, 1.0, 1.0], [0.0, 0.5, 1.0], [0.0, 0.0, 0.5]], dtype=F64)
    text = "exp(p / tau) overflows for small tau: work with logarithms and a softmax."
    expect(student.ipo_closed_form(ref, third, cycle, 1e-4)).close(ref, text)
    expect(student.ipo_closed_form(ref, draw.probs(3), order, 1e-4)).close(
        torch.tensor([1.0, 0.0, 0.0], dtype=F64), text
    )


@exercise("ipo_closed_form")
def test_tiny_references_and_a_large_tau(student: Student, draw: Draw):
    """A reference of 1e-10 for the favourite with a small tau; then a tau of 6."""
    ref = torch.cat([torch.tensor([1e-10], dtype=F64), draw.probs(3) * (1 - 1e-10)])
    mu, prefs = draw.probs(4), preferences(draw, 4)
    prefs[0, 1:], prefs[1:, 0] = 0.97, 0.03
    for tau in (0.03, 6.0):
        expect(student.ipo_closed_form(ref, mu, prefs, tau)).close(
            tilt(ref, prefs @ mu, tau),
            "Tiny probabilities of the reference count in full, and tau as it is: no epsilon, no "
            "cap.",
            rtol=1e-8,
        )


@exercise("ipo_closed_form")
def test_labels_that_all_but_tie(student: Student, draw: Draw):
    """A tau of 1e-4, and labels that differ from one half by about as much."""
    ref, mu, tilt_of = draw.probs(3), draw.probs(3), draw.uniform(0.5, 2, 3, 3).triu(1)
    close = 0.5 + 1e-4 * (tilt_of - tilt_of.T)
    want = ref * ((tilt_of - tilt_of.T) @ mu).exp()
    expect(student.ipo_closed_form(ref, mu, close, 1e-4)).close(
        want / want.sum(), "tau counts however small it is: no floor under it.", rtol=1e-6
    )

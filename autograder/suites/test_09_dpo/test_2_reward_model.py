"""Section 2 of 09_dpo. The reward model: its loss, its fit, and what it gives a sequence."""

import math

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import F64, NO_GRADIENT, nll, scalar, sigma

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

"""Section 1 of the project. The loss of the reward model, in closed form."""

import math

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import doubles, sigmoid, softplus

# --- reward_model_loss ---------------------------------------------------------------------------


@exercise("reward_model_loss")
def test_votes_cost_their_mean_negative_log_likelihood(student: Student, draw: Draw):
    """Rewards of both signs and several sizes of gap, in closed form."""
    chosen, rejected = 2 * draw.normal(5), draw.normal(5)
    gaps = (chosen - rejected).tolist()
    costs = [softplus(-gap) for gap in gaps]
    mean = sum(costs) / 5
    expect(student.reward_model_loss(chosen, rejected)).close(
        doubles(mean).squeeze(),
        "The loss is the mean of -ln sigmoid(r_chosen - r_rejected), a 0-d tensor in nats.",
        mistakes={
            "You added the pairs instead of averaging.": doubles(sum(costs)).squeeze(),
            "Chosen and rejected are exchanged.":
                doubles(sum(softplus(gap) for gap in gaps) / 5).squeeze(),
            "You averaged the probabilities, without a logarithm.":
                doubles(-sum(sigmoid(gap) for gap in gaps) / 5).squeeze(),
            "You took the logarithm to base 2: nats are wanted.":
                doubles(mean / math.log(2)).squeeze(),
            "You took the logarithm of the mean probability.":
                doubles(-math.log(sum(sigmoid(gap) for gap in gaps) / 5)).squeeze(),
        },
    )  # fmt: skip


@exercise("reward_model_loss")
def test_huge_gaps_stay_finite_with_the_right_gradient(student: Student, draw: Draw):
    """Gaps of about a thousand in both directions, value and both gradients."""
    far = float(draw.uniform(800, 1200))
    got = student.grad("reward_model_loss", doubles(0, far), doubles(far, 0), wrt=(0, 1))
    text = "Use a stable form such as softplus: no overflow, no clamp, no epsilon."
    expect(got.value).close(doubles(far / 2).squeeze(), text)
    expect(got.grads[0]).close(doubles(-0.5, 0), text)
    expect(got.grads[1]).close(doubles(0.5, 0), text)


@exercise("reward_model_loss")
def test_both_rewards_get_their_gradient(student: Student, draw: Draw):
    """The gradient at moderate gaps: -sigmoid(-gap) / B and its opposite."""
    chosen, rejected = draw.normal(4), draw.normal(4)
    want = doubles(*[-sigmoid(-gap) / 4 for gap in (chosen - rejected).tolist()])
    got = student.grad("reward_model_loss", chosen, rejected, wrt=(0, 1))
    text = "The gradient is -sigmoid(-gap) / B in the chosen reward, plus that in the rejected one."
    for gradient, expected in ((got.grads[0], want), (got.grads[1], -want)):
        expect(gradient).close(expected, f"{text} Nothing may be detached.")


@exercise("reward_model_loss", weight=0.5)
def test_the_reward_loss_keeps_single_precision(student: Student, draw: Draw):
    """One pair in float32, as a reward model returns them."""
    chosen, rejected = draw.normal(1, dtype=torch.float32), draw.normal(1, dtype=torch.float32)
    expect(student.reward_model_loss(chosen, rejected)).close(
        torch.tensor(softplus(-float(chosen - rejected)), dtype=torch.float32),
        "Keep the dtype of the rewards; one pair is a batch as well.",
    )

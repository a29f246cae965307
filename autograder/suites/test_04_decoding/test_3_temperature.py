"""Section 3 of 04_decoding. Temperature."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, doubles

# temperature_probs


def powers(probs: torch.Tensor, tau: float) -> torch.Tensor:
    """The definition: pi^(1/tau), normalised."""
    raised = probs ** (1 / tau)
    return raised / raised.sum(-1, keepdim=True)


@exercise("temperature_probs", weight=3)
def test_probabilities_are_raised_to_one_over_tau(student: Student, draw: Draw):
    """Temperatures below and above 1, and 1 itself, against powers of the probabilities."""
    for low, high in ((0.3, 0.45), (0.55, 0.8), (1.6, 3.0), (1.0, 1.0)):
        tau = float(draw.uniform(low, high))
        probs = draw.probs(2, 3, 5)
        logits = probs.log() + draw.normal(2, 3, 1)
        expect(student.temperature_probs(logits, tau)).close(
            powers(probs, tau),
            "The answer is softmax(logits / tau) over the last dimension, which is pi^(1/tau) "
            "normalised.",
            mistakes={
                "You multiplied by tau instead of dividing by it.": (logits * tau).softmax(-1),
                "The temperature has no effect: probabilities divided by tau and normalised are "
                "what they were.": probs,
                "The result is not normalised.": probs ** (1 / tau),
                "You returned logarithms of probabilities.": powers(probs, tau).log(),
                "You normalised over all rows together.":
                    (logits / tau).flatten().softmax(0).view(2, 3, 5),
            },
        )  # fmt: skip


@exercise("temperature_probs")
def test_each_row_is_a_distribution_of_its_own(student: Student, draw: Draw):
    """A single vector, a single row, and a square matrix."""
    for shape in ((4,), (1, 5), (4, 4)):
        probs = draw.probs(*shape)
        expect(student.temperature_probs(probs.log(), 0.6)).close(
            powers(probs, 0.6), "Normalise over the last dimension, whatever stands before it."
        )


@exercise("temperature_probs")
def test_a_constant_added_to_the_logits_changes_nothing(student: Student, draw: Draw):
    """Logits around 2000 in one row, around -2000 in the other; a whole number as temperature."""
    probs = draw.probs(2, 5)
    expect(student.temperature_probs(probs.log() + doubles(2000.0, -2000.0)[:, None], 2)).close(
        powers(probs, 2),
        "Large logits overflow exp, and very negative ones underflow: use softmax, or subtract "
        "each row's maximum first.",
    )


@exercise("temperature_probs")
def test_a_tiny_temperature_is_greedy_and_a_huge_one_uniform(student: Student, draw: Draw):
    """Temperature 0.001 with a winner that is only just ahead, and 1e9."""
    logits, winner = draw.uniform(-1, 1, 3, 6), []
    for row in logits:
        first, second = draw.sample(range(6), 2)
        row[first], row[second] = 13.05, 13.0
        winner.append(first)
    expect(student.temperature_probs(logits, 1e-3)).close(
        torch.eye(6, dtype=DOUBLE)[winner],
        "As tau goes to 0 everything goes to the most probable token; nothing may overflow or "
        "be clipped.",
    )
    expect(student.temperature_probs(draw.uniform(-1, 1, 6), 1e9)).close(
        torch.full((6,), 1 / 6, dtype=DOUBLE),
        "As tau grows the distribution becomes uniform: tau is not to be capped.",
        rtol=1e-7,
    )


@exercise("temperature_probs")
def test_tokens_that_are_ruled_out_stay_out(student: Student, draw: Draw):
    """Logits of minus infinity, at other places in each row."""
    probs = draw.probs(3, 5)
    for row in range(3):
        probs[row, draw.sample(range(5), row + 1)] = 0.0
    probs = probs / probs.sum(-1, keepdim=True)
    got = student.temperature_probs(probs.log(), 1.7)
    expect(got).close(powers(probs, 1.7), "A logit of -inf gives probability 0, not nan.")
    expect(got).true(bool((got[probs == 0] == 0).all()), "A logit of -inf gives exactly 0.")
    hot = student.temperature_probs(probs.log(), 1e6)
    expect(hot).close(
        (probs > 0).to(DOUBLE) / (probs > 0).sum(-1, keepdim=True),
        "A logit of -inf gives exactly 0 however hot it is: no large number stands in for it.",
        rtol=1e-4,
    )


@exercise("temperature_probs")
def test_single_precision_stays(student: Student, draw: Draw):
    """Logits in float32."""
    probs = draw.probs(2, 7)
    expect(student.temperature_probs(probs.log().float(), 0.8)).close(
        powers(probs, 0.8).float(), "The result has the dtype of the logits."
    )

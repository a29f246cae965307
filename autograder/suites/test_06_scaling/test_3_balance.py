"""Section 3 of 06_scaling. The load-balancing loss."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, gates, near, scores, winners

# --- load_balancing_loss ------------------------------------------------------------------


def balance(logits: torch.Tensor, k: int) -> torch.Tensor:
    """E sum f_e P_e, with f a constant."""
    f = winners(logits.detach(), k).double().mean(0)
    return logits.shape[1] * (f * logits.softmax(-1).mean(0)).sum()


@exercise("load_balancing_loss", weight=2)
def test_the_loss_is_e_times_the_sum_of_f_times_p(student: Student, draw: Draw):
    """Eleven tokens, five experts, k = 2; then nine tokens, four experts, k = 3."""
    for T, E, k in ((11, 5, 2), (9, 4, 3)):
        s = scores(draw, T, E) * 2
        mask, p = winners(s, k).double(), s.softmax(-1)
        f, P = mask.mean(0), p.mean(0)
        near(student.load_balancing_loss(s, k), 
            E * (f * P).sum(),
            "E times the sum of f_e P_e: f_e the share of tokens that chose e (the f_e sum to k), "
            "P_e the mean of the softmax over all experts.",
            mistakes={
                "You divided by k.": E * (f * P).sum() / k,
                "You left out the factor E.": (f * P).sum(),
                "You took f from the probabilities.": E * (P * P).sum(),
                "You took P from the gates.": E * (f * gates(s, k).mean(0)).sum(),
                "You counted the first choice only.":
                    E * (winners(s, 1).double().mean(0) * P).sum(),
                "You multiplied token by token before averaging.": E * (mask * p).mean(0).sum(),
                "You forgot to divide f by the number of tokens.": E * (f * P).sum() * T,
                "You counted the losers.": E * ((1 - f) * P).sum(),
                "You took the softmax over the tokens.": E * (f * s.softmax(0).mean(0)).sum(),
                "You multiplied by k instead of E.": k * (f * P).sum(),
            },
        )  # fmt: skip


@exercise("load_balancing_loss")
def test_it_agrees_with_the_mixtral_code(student: Student, draw: Draw):
    """64 tokens, 8 experts, k = 2 in float32, against transformers."""
    from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

    s = (scores(draw, 64, 8) * 1.5).float()
    want = load_balancing_loss_func((s,), 8, 2)
    near(
        student.load_balancing_loss(s, 2),
        want,
        "In float32 the loss is that of the Mixtral code in transformers, a 0-d tensor.",
    )


@exercise("load_balancing_loss")
def test_a_balanced_batch_gives_k(student: Student, draw: Draw):
    """A row of scores in all its rotations, so that every expert is chosen equally often."""
    row = scores(draw, 1, 6)[0]
    s = torch.stack([row.roll(i) for i in range(6)])
    for k in (1, 3, 6):
        near(
            student.load_balancing_loss(s, k),
            torch.tensor(float(k), dtype=DOUBLE),
            "A balanced router gives k: no division by k.",
        )


@exercise("load_balancing_loss")
def test_the_loss_can_be_below_k(student: Student, draw: Draw):
    """Unsure winners and sure losers; all tokens to one expert; a single token."""
    small = 0.01 + 0.01 * float(draw.uniform(0, 1))
    p = torch.tensor([0.51, 0.51, small, 0.51, small], dtype=DOUBLE)
    s = torch.stack([p, 1 - p], 1).log()
    P = p.mean()
    near(
        student.load_balancing_loss(s, 1),
        2 * (0.6 * P + 0.4 * (1 - P)),
        "k is not a lower bound: f and P need not agree. Do not clamp the loss.",
    )
    logits = scores(draw, 3, 4)
    logits[:, 1] += 9.0
    near(
        student.load_balancing_loss(logits, 1),
        4 * logits.softmax(-1)[:, 1].mean(),
        "If all tokens choose one expert, its f is 1 and all others are 0 (but they count in E).",
    )
    one = scores(draw, 1, 3)
    near(
        student.load_balancing_loss(one, 2),
        balance(one, 2),
        "A batch of one token is a batch, [1, E].",
    )


@exercise("load_balancing_loss")
def test_a_shift_of_the_scores_changes_nothing(student: Student, draw: Draw):
    """Scores around 900 and around -900."""
    s = scores(draw, 6, 4)
    for shift in (900.0, -900.0):
        near(
            student.load_balancing_loss(s + shift, 2),
            balance(s, 2),
            "The loss does not change when a number is added to all scores, and must not overflow: "
            "use softmax.",
        )


@exercise("load_balancing_loss", weight=2)
def test_the_gradient_flows_through_p_only(student: Student, draw: Draw):
    """The gradient in the logits, against autograd with f held constant."""
    s = scores(draw, 5, 4) * 2
    got = student.grad("load_balancing_loss", s, 2, wrt=(0,))
    leaf = s.clone().requires_grad_()
    (want,) = torch.autograd.grad(balance(leaf, 2), leaf)
    expect(got.requires_grad).true(
        got.requires_grad, "The loss must be differentiable through P: is there a detach?"
    )
    near(
        got.grads[0],
        want,
        "The gradient flows through P, the softmax over all experts; f is a constant count.",
    )

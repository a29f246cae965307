"""Section 2 of 06_scaling. The mixture of experts."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, gates, scores, winners

# --- moe_forward --------------------------------------------------------------------------


def layer(draw: Draw, T: int, d: int, E: int):
    """Inputs whose scores are well apart: h, W_r, b_r with h @ W_r.T + b_r = scores(...)."""
    h = torch.eye(T, d, dtype=DOUBLE) + draw.uniform(-0.2, 0.2, T, d)
    b_r = draw.uniform(-1.0, 1.0, E)
    W_r = torch.linalg.lstsq(h, scores(draw, T, E) - b_r).solution.T.contiguous()
    return h, W_r, b_r


class Experts:
    """Call-backs for the student, which remember the rows they saw."""

    def __init__(self, draw: Draw, E: int, d: int) -> None:
        self.A, self.c = draw.normal(E, d, d), draw.uniform(0.5, 1.5, E, 1, 1)
        self.seen: list[list[torch.Tensor]] = [[] for _ in range(E)]
        self.functions = [self._function(e) for e in range(E)]

    def dense(self, h: torch.Tensor) -> torch.Tensor:
        """What every expert makes of every row, [E, T, d]."""
        return torch.tanh(h @ self.A) + self.c

    def _function(self, e: int):
        def f(x):
            self.seen[e].append(x)
            return torch.tanh(x @ self.A[e]) + self.c[e]

        return f

    def rows(self) -> list[int]:
        """How many rows each expert saw; a single row may come as a vector."""
        return [sum(1 if x.ndim == 1 else len(x) for x in calls) for calls in self.seen]


def mixture(g: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
    """Sum over e of gate times output: g [T, E], outputs [E, T, d]."""
    return (g.T[:, :, None] * outputs).sum(0)


@exercise("moe_forward", weight=2)
def test_the_output_is_the_gated_sum(student: Student, draw: Draw):
    """Four tokens of width 6, five experts, k = 2."""
    h, W_r, b_r = layer(draw, 4, 6, 5)
    experts = Experts(draw, 5, 6)
    outputs, s = experts.dense(h), h @ W_r.T + b_r
    g, mask = gates(s, 2), winners(s, 2)
    inside = torch.stack([torch.tanh((g[:, e, None] * h) @ experts.A[e]) for e in range(5)])
    expect(student.moe_forward(h, W_r, b_r, experts.functions, 2)).close(
        mixture(g, outputs),
        "Row t is the sum over its chosen experts of gate times expert(h_t), in the tokens' order.",
        mistakes={
            "You left out the gates.": mixture(mask.double(), outputs),
            "You averaged the chosen experts.": mixture(mask.double() / 2, outputs),
            "You used the softmax over all experts as gates.":
                mixture(s.softmax(-1) * mask, outputs),
            "You mixed all experts instead of the chosen ones.": mixture(s.softmax(-1), outputs),
            "You left out the router's bias.": mixture(gates(s - b_r, 2), outputs),
            "You used the best expert only.": mixture(winners(s, 1).double(), outputs),
            "You scaled the expert's input with the gate, not its output.":
                mixture(mask.double(), inside + experts.c),
            "You added the input: the residual is not part of the layer.":
                mixture(g, outputs) + h,
        },
    )  # fmt: skip


@exercise("moe_forward", weight=2)
def test_experts_see_only_the_tokens_that_chose_them(student: Student, draw: Draw):
    """The rows that each of five experts is given; all tokens choose one, none chooses another."""
    h, W_r, b_r = layer(draw, 6, 6, 5)
    popular, lonely = draw.sample(range(5), 2)
    b_r[popular] += 50.0
    b_r[lonely] -= 50.0
    experts = Experts(draw, 5, 6)
    student.moe_forward(h, W_r, b_r, experts.functions, 2)
    mask = winners(h @ W_r.T + b_r, 2)
    expect(sum(experts.rows())).equals(
        12,
        "The experts see T * k rows in all.",
        mistakes={
            "Every expert was called with every token: masking afterwards saves nothing.": 30,
            "The experts were called twice.": 24,
        },
    )
    for e, calls in enumerate(experts.seen):
        rows = [x.reshape(-1, 6) for x in calls if x.numel()]
        got = torch.cat(rows) if rows else torch.empty(0, 6, dtype=DOUBLE)
        want = h[mask[:, e]]
        if len(want) == 0:
            expect(got).tensor((0, 6), DOUBLE, "An expert that nobody chose is given no rows.")
            continue
        expect(got.shape[0]).equals(
            len(want), "An expert is called with the tokens that chose it and with no others."
        )
        expect(got[got[:, 0].argsort()]).close(
            want[want[:, 0].argsort()],
            "An expert is given the rows h_t as they are.",
        )


@exercise("moe_forward")
def test_one_expert_and_all_experts_per_token(student: Student, draw: Draw):
    """k = 1 and k = E."""
    h, W_r, b_r = layer(draw, 3, 5, 4)
    experts = Experts(draw, 4, 5)
    outputs, s = experts.dense(h), h @ W_r.T + b_r
    expect(student.moe_forward(h, W_r, b_r, experts.functions, 1)).close(
        mixture(winners(s, 1).double(), outputs),
        "With k = 1 the output is that of the best expert, with gate 1.",
    )
    expect(student.moe_forward(h, W_r, b_r, experts.functions, 4)).close(
        mixture(s.softmax(-1), outputs), "With k = E the layer is the dense mixture."
    )


@exercise("moe_forward")
def test_as_many_experts_as_columns(student: Student, draw: Draw):
    """E = d = T = 4, where a transposed W_r goes unnoticed."""
    h, W_r, b_r = layer(draw, 4, 4, 4)
    experts = Experts(draw, 4, 4)
    outputs, s = experts.dense(h), h @ W_r.T + b_r
    expect(student.moe_forward(h, W_r, b_r, experts.functions, 2)).close(
        mixture(gates(s, 2), outputs),
        "W_r is [E, d]: the scores of the rows of h are h @ W_r.T + b_r.",
        mistakes={
            "You used W_r instead of its transpose.": mixture(gates(h @ W_r + b_r, 2), outputs)
        },
    )


@exercise("moe_forward")
def test_one_token_in_single_precision(student: Student, draw: Draw):
    """A float32 token, three experts, k = 2."""
    h, W_r, b_r = layer(draw, 1, 4, 3)
    experts = Experts(draw, 3, 4)
    experts.A, experts.c = experts.A.float(), experts.c.float()
    h, W_r, b_r = h.float(), W_r.float(), b_r.float()
    g = gates((h @ W_r.T + b_r).double(), 2).float()
    expect(student.moe_forward(h, W_r, b_r, experts.functions, 2)).close(
        mixture(g, experts.dense(h)), "The output has the shape and dtype of h: [T, d]."
    )


@exercise("moe_forward", weight=2)
def test_gradients_reach_the_tokens_and_the_router(student: Student, draw: Draw):
    """Feed-forward experts; the gradients in h, W_r and b_r."""
    h, W_r, b_r = layer(draw, 4, 5, 4)
    W_in, W_out = draw.normal(4, 5, 3), draw.normal(4, 3, 5)
    cotangent = draw.normal(4, 5)
    experts = student.ffn_experts(W_in, W_out)
    args = (h, W_r, b_r)
    got = student.grad("moe_forward", *args, experts, 2, wrt=(0, 1, 2), cotangent=cotangent)
    leaves = [each.clone().requires_grad_() for each in args]
    outputs = torch.tanh(leaves[0] @ W_in) @ W_out
    y = mixture(gates(leaves[0] @ leaves[1].T + leaves[2], 2), outputs)
    want = torch.autograd.grad(y, leaves, cotangent)
    expect(got.requires_grad).true(
        got.requires_grad and all(grad is not None for grad in got.grads.values()),
        "The output must be differentiable in h, W_r and b_r: is there a detach or a no_grad? "
        "The router learns through the gates.",
    )
    expect([got.grads[i] for i in range(3)]).close(
        list(want),
        "Gradients flow to h through the experts and through the gates, and to W_r and b_r "
        "through the gates.",
    )

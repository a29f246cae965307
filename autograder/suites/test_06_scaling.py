"""Hidden suite of 06_scaling.

Strategy: gates and the mixture are compared with the dense formulas in float64 (all experts
computed, losers masked), and the experts, call-backs of this suite, write down the rows they see.
The balancing loss is compared with plain loops and with the Mixtral code of transformers, parameter
counts with a model that transformers builds without memory. Data parallelism is compared with one
process that sees every shard, on shards of unequal length: in one process with replicas, with an
`all_reduce` of this suite, and in two gloo processes on the sandbox's loopback.
"""

from fractions import Fraction

import torch

from autograder.suite import Draw, Student, exercise, expect
from sft2rl.parallel import TinyLM, loss_sum

DEPENDS = {"moe_forward": ["topk_gates"], "ddp_step": ["all_reduce_mean"]}
FORBIDDEN = {
    "load_balancing_loss": ["transformers"],
    "all_reduce_mean": ["torch.distributed", "sft2rl.parallel.gloo_all_reduce"],
    "ddp_step": ["torch.distributed", "torch.nn.parallel", "sft2rl.parallel.gloo_all_reduce"],
}
PRELOAD = ("torch._dynamo",)

DOUBLE = torch.float64


def near(got, want, message, mistakes=None) -> None:
    """Close up to single precision: float32 counts and weights are nobody's mistake."""
    expect(got).close(want, message, mistakes, rtol=1e-5)


def scores(draw: Draw, T: int, E: int, shift: float = 0.0) -> torch.Tensor:
    """Router scores whose ranks in a row differ by at least 0.2."""
    rows = [draw.shuffled([0.4 * e for e in range(E)]) for _ in range(T)]
    spaced = torch.tensor(rows, dtype=DOUBLE) - 0.2 * E
    return spaced + draw.uniform(-0.1, 0.1, T, E) + shift


def winners(s: torch.Tensor, k: int) -> torch.Tensor:
    """[T, E], True at the k largest of each row, by sorting plain lists."""
    mask = torch.zeros_like(s, dtype=torch.bool)
    for t, row in enumerate(s.tolist()):
        for e in sorted(range(len(row)), key=row.__getitem__)[-k:]:
            mask[t, e] = True
    return mask


def gates(s: torch.Tensor, k: int) -> torch.Tensor:
    """The softmax over all, masked and renormalised."""
    p = s.softmax(-1) * winners(s.detach(), k)
    return p / p.sum(-1, keepdim=True)


# --- topk_gates ---------------------------------------------------------------------------


@exercise("topk_gates", weight=2)
def test_the_softmax_runs_over_the_winners(student: Student, draw: Draw):
    """Six tokens, seven experts, k = 3; then four tokens, five experts, k = 2."""
    for T, E, k in ((6, 7, 3), (4, 5, 2)):
        s = scores(draw, T, E)
        mask, p = winners(s, k), s.softmax(-1)
        least = p * winners(-s, k)
        expect(student.topk_gates(s, k)).close(
            gates(s, k),
            "Each row is the softmax over its k largest scores, at their places, and 0 elsewhere.",
            mistakes={
                "You took the softmax over all experts without renormalising.": p * mask,
                "You set scores to 0 instead of leaving them out: exp(0) is 1.":
                    (s * mask).softmax(-1),
                "You set scores to 0 before the softmax and masked without renormalising.":
                    (s * mask).softmax(-1) * mask,
                "You chose the smallest scores.": least / least.sum(-1, keepdim=True),
                "You negated the scores: the smallest win.": gates(-s, k),
                "You gave all winners the same gate.": mask.double() / k,
                "You did not leave out the losers.": p,
                "You took the softmax over the tokens.": s.softmax(0) * mask,
            },
        )  # fmt: skip


@exercise("topk_gates")
def test_one_winner_and_all_winners(student: Student, draw: Draw):
    """k = 1 and k = E; a single expert."""
    s = scores(draw, 5, 4)
    expect(student.topk_gates(s, 1)).close(
        winners(s, 1).double(),
        "With k = 1 the winner's gate is 1: a softmax over one number.",
        mistakes={"You did not renormalise over the winners.": s.softmax(-1) * winners(s, 1)},
    )
    expect(student.topk_gates(s, 4)).close(
        s.softmax(-1), "With k = E the gates are the softmax over all experts."
    )
    expect(student.topk_gates(s[:, :1], 1)).close(
        torch.ones(5, 1, dtype=DOUBLE), "A single expert gets the gate 1: the result is [T, 1]."
    )


@exercise("topk_gates")
def test_small_differences_decide(student: Student, draw: Draw):
    """Scores that differ by a few ten-thousandths."""
    s = scores(draw, 6, 7, shift=3000.0) / 1000
    expect(student.topk_gates(s, 3) > 0).equals(
        winners(s, 3),
        "The larger score wins, however small the difference: no noise, no rounding, no preference "
        "for an expert.",
    )


@exercise("topk_gates")
def test_exactly_k_are_chosen_among_equal_scores(student: Student, draw: Draw):
    """Rows in which all scores, or the middle ones, are equal."""
    a, b = float(draw.uniform(0.5, 1.5)), draw.integer(2, 5)
    s = torch.tensor([[a] * 6, [a + b, a, a, a, a, a - b]], dtype=DOUBLE)
    got = student.topk_gates(s, 3)
    expect(got).tensor((2, 6), DOUBLE, "Return a tensor of the shape and dtype of s.")
    expect((got > 0).sum(-1)).equals(
        torch.tensor([3, 3]),
        "With equal scores exactly k experts are chosen: a threshold at the k-th largest score "
        "lets more through.",
    )
    chosen = gates(torch.tensor([[a, a, a], [a + b, a, a]], dtype=DOUBLE), 3)
    expect(got.sort(-1, descending=True).values[:, :3]).close(
        chosen, "Among equal scores the gates are still the softmax over the k chosen."
    )


@exercise("topk_gates")
def test_large_and_negative_scores(student: Student, draw: Draw):
    """Scores around 900, around -2000, both in one batch, and far apart within a row."""
    high, low = scores(draw, 2, 5, 900.0), scores(draw, 3, 5, -2000.0)
    for s in (high, low, torch.cat([high, low]), scores(draw, 3, 5, -5.0)):
        expect(student.topk_gates(s, 2)).close(
            gates(s, 2),
            "Gates do not change when a number is added to all scores of a token, and must not "
            "overflow: use softmax, and give the losers -inf, not 0 or some negative number.",
        )
    s = torch.tensor([draw.shuffled([-3e6, 3e6, 3e6 - 1, 0.0])], dtype=DOUBLE)
    expect(student.topk_gates(s, 3)).close(
        gates(s, 3), "Scores that lie far apart must not give nan, and are not clipped."
    )


@exercise("topk_gates")
def test_single_precision_and_one_token(student: Student, draw: Draw):
    """One float32 token."""
    s = scores(draw, 1, 6)
    expect(student.topk_gates(s.float(), 4)).close(
        gates(s, 4).float(), "The gates have the dtype of s."
    )


@exercise("topk_gates")
def test_gates_are_differentiable(student: Student, draw: Draw):
    """The gradient in s of a weighted sum of the gates."""
    s, cotangent = scores(draw, 4, 5), draw.normal(4, 5)
    got = student.grad("topk_gates", s, 2, wrt=(0,), cotangent=cotangent)
    leaf = s.clone().requires_grad_()
    (want,) = torch.autograd.grad(gates(leaf, 2), leaf, cotangent)
    expect(got.requires_grad).true(
        got.requires_grad, "The gates must keep the graph: is there a detach, .data or no_grad?"
    )
    expect(got.grads[0]).close(
        want, "The gradient is that of the softmax over the winners; losers have none."
    )


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


# --- active_parameters --------------------------------------------------------------------

FIELDS = (
    "vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads "
    "num_key_value_heads head_dim num_local_experts num_experts_per_tok"
).split()


def parts(c: dict[str, int]) -> dict[str, int]:
    """Parameters by part of the whole model; an expert counts once."""
    d, layers = c["hidden_size"], c["num_hidden_layers"]
    return {
        "embedding": c["vocab_size"] * d,
        "queries": layers * d * c["num_attention_heads"] * c["head_dim"],
        "keys": layers * d * c["num_key_value_heads"] * c["head_dim"],
        "norm": layers * d,
        "router": layers * d * c["num_local_experts"],
        "expert": layers * 3 * d * c["intermediate_size"],
    }


def built_by_transformers(c: dict[str, int]) -> int:
    """Parameters of the model with only k experts, plus the other rows of the router."""
    from transformers import MixtralConfig, MixtralForCausalLM

    few = c | {"num_local_experts": c["num_experts_per_tok"]}
    with torch.device("meta"):
        model = MixtralForCausalLM(MixtralConfig(**few, tie_word_embeddings=False))
    rows = c["num_local_experts"] - c["num_experts_per_tok"]
    count = sum(parameter.numel() for parameter in model.parameters())
    return count + c["num_hidden_layers"] * rows * c["hidden_size"]


@exercise("active_parameters", weight=2)
def test_everything_counts_but_the_idle_experts(student: Student, draw: Draw):
    """A model with grouped keys, heads that are together not hidden_size wide, k = 3."""
    values = (draw.integer(90, 99), 24, draw.integer(30, 40), 3, 4, 2, 10, 7, 3)
    cfg = dict(zip(FIELDS, values, strict=True))
    n, k = parts(cfg), cfg["num_experts_per_tok"]
    want = built_by_transformers(cfg)
    expect(student.active_parameters(cfg)).equals(
        want,
        "Add up the table, over all layers, with k experts per layer instead of all.",
        mistakes={
            "You counted all experts.": want + n["expert"] * (7 - k),
            "You counted one expert per layer.": want - n["expert"] * (k - 1),
            "You left out the router.": want - n["router"],
            "You counted k rows of the router: it scores all experts.":
                want - n["router"] * (7 - k) // 7,
            "You left out the output layer: it is not tied to the embedding.":
                want - n["embedding"],
            "You left out embedding and output layer.": want - 2 * n["embedding"],
            "You left out the last norm.": want - 24,
            "You left out the norms.": want - 24 - 2 * n["norm"],
            "You counted one norm per layer.": want - n["norm"],
            "You gave keys and values as many heads as queries.":
                want + 2 * n["queries"] - 2 * n["keys"],
            "You took the head width to be hidden_size / num_attention_heads.":
                want - 2 * (n["queries"] + n["keys"]) * 4 // 10,
            "You gave an expert two matrices: SwiGLU has three.": want - n["expert"] * k // 3,
            "You left out the attention's output.": want - n["queries"],
            "You left out the attention.": want - 2 * (n["queries"] + n["keys"]),
            "You counted one layer.":
                2 * n["embedding"] + 24 + (want - 2 * n["embedding"] - 24) // 3,
        },
    )  # fmt: skip


@exercise("active_parameters")
def test_a_large_model_is_counted_exactly(student: Student, draw: Draw):
    """About the size of Mixtral: some 13 billion."""
    values = (draw.integer(30_001, 32_999), 4097, 14_336, 32, 32, 8, 128, 8, 2)
    cfg = dict(zip(FIELDS, values, strict=True))
    n = parts(cfg)
    want = 2 * (n["embedding"] + n["queries"] + n["keys"] + n["norm"] + n["expert"])
    want += n["router"] + 4097
    got = student.active_parameters(cfg)
    expect(got).true(
        isinstance(got, int) and got == want,
        "The count is an exact int also in the billions: no floats on the way.",
    )


@exercise("active_parameters")
def test_all_experts_active_is_the_whole_model(student: Student, draw: Draw):
    """k = E, one layer, one key-value head."""
    values = (draw.integer(50, 60), 16, draw.integer(20, 25), 1, 4, 1, 6, 3, 3)
    cfg = dict(zip(FIELDS, values, strict=True))
    expect(student.active_parameters(cfg)).equals(
        built_by_transformers(cfg),
        "With k = E the count is that of the whole model.",
    )


# --- shard_batch --------------------------------------------------------------------------


def cut(batch, sizes):
    """Consecutive slices of these sizes."""
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return [batch[a : a + n] for a, n in zip(starts, sizes, strict=True)]


@exercise("shard_batch", weight=2)
def test_shards_are_consecutive_and_nearly_equal(student: Student, draw: Draw):
    """Ten words for 4 ranks, eleven for 3; words may repeat."""
    for B, N, sizes, ceil in ((10, 4, [3, 3, 2, 2], 3), (11, 3, [4, 4, 3], 4)):
        batch = draw.text(B).split()
        floor = B // N
        expect(student.shard_batch(batch, N)).equals(
            cut(batch, sizes),
            "Consecutive slices; the first B % world_size ranks get one element more.",
            mistakes={
                "You dropped the remainder.": cut(batch, [floor] * N),
                "You gave the whole remainder to the last rank.":
                    cut(batch, [floor] * (N - 1) + [B - floor * (N - 1)]),
                "You gave the larger shards to the last ranks.": cut(batch, sizes[::-1]),
                "You rounded the size up, so that the last rank gets too little.":
                    [batch[i * ceil : (i + 1) * ceil] for i in range(N)],
                "You dealt the elements out one by one.": [batch[r::N] for r in range(N)],
                "You repeated elements to make the shards equal.":
                    [(batch + batch)[r * ceil : (r + 1) * ceil] for r in range(N)],
            },
        )  # fmt: skip


@exercise("shard_batch")
def test_an_even_batch_and_one_rank(student: Student, draw: Draw):
    """Nine numbers for 3 ranks and for one."""
    batch = draw.shuffled(range(9))
    expect(student.shard_batch(batch, 3)).equals(
        cut(batch, [3, 3, 3]), "An even batch gives equal shards, in the order of the batch."
    )
    expect(student.shard_batch(batch, 1)).equals(
        [batch], "One rank gets the whole batch, in a list of one shard."
    )


@exercise("shard_batch")
def test_more_ranks_than_elements(student: Student, draw: Draw):
    """Two elements for 4 ranks, and none at all."""
    batch = draw.shuffled(range(2))
    expect(student.shard_batch(batch, 4)).equals(
        [batch[:1], batch[1:], [], []],
        "There is one shard per rank, also if some of them are empty.",
    )
    expect(student.shard_batch([], 2)).equals([[], []], "An empty batch gives empty shards.")


@exercise("shard_batch")
def test_a_tensor_is_cut_along_its_first_dimension(student: Student, draw: Draw):
    """A [5, 6] tensor of token ids for 3 ranks, [1, 6] for 2; three dimensions, and one."""
    for shape, sizes in (
        ((5, 6), [2, 2, 1]), ((1, 6), [1, 0]), ((5, 2, 3), [3, 2]), ((4,), [2, 1, 1]),
    ):  # fmt: skip
        batch = draw.integers(0, 100, *shape)
        got = student.shard_batch(batch, len(sizes))
        expect(got).true(
            isinstance(got, list) and len(got) == len(sizes),
            "Return a list with one shard per rank.",
        )
        expect(got).equals(
            list(batch.split(sizes)), "The shards of a tensor are tensors, cut along dimension 0."
        )


# --- all_reduce_mean ----------------------------------------------------------------------


@exercise("all_reduce_mean", weight=2)
def test_the_mean_is_weighted(student: Student, draw: Draw):
    """Three [2, 4] gradients with unequal token counts, and with fractions as weights."""
    for weights in (draw.sample([3, 5, 9, 14, 20], 3), draw.sample([0.1, 0.3, 0.35, 0.7], 3)):
        grads = [draw.normal(2, 4) for _ in range(3)]
        sums = [w * g for w, g in zip(weights, grads, strict=True)]
        total = sum(weights)
        near(student.all_reduce_mean(grads, weights), 
            sum(sums) / total,
            "The sum of w_r g_r divided by the sum of the w_r.",
            mistakes={
                "You ignored the weights.": sum(grads) / 3,
                "You summed without dividing.": sum(sums),
                "You divided by the number of ranks.": sum(sums) / 3,
                "You divided the gradients by their weights.":
                    sum(g / w for w, g in zip(weights, grads, strict=True)) / 3,
                "You summed the gradients and divided by the weights.": sum(grads) / total,
            },
        )  # fmt: skip


@exercise("all_reduce_mean")
def test_without_weights_every_rank_counts_the_same(student: Student, draw: Draw):
    """Four vectors, weights left out and None."""
    grads = [draw.normal(5) for _ in range(4)]
    want = sum(grads) / 4
    near(
        student.all_reduce_mean(grads),
        want,
        "Without weights it is the plain mean over the ranks.",
        mistakes={"You returned the sum.": sum(grads)},
    )
    near(student.all_reduce_mean(grads, None), want, "None means equal weights.")


@exercise("all_reduce_mean", weight=2)
def test_it_gives_the_gradient_of_the_whole_batch(student: Student, draw: Draw):
    """A regression on 1, 2 and 6 examples: gradients of the shards and of all nine."""
    x, y, theta = draw.normal(9, 3), draw.normal(9), draw.normal(3)

    def gradient(rows: slice) -> torch.Tensor:
        leaf = theta.clone().requires_grad_()
        loss = (x[rows] @ leaf - y[rows]).square().mean()
        return torch.autograd.grad(loss, leaf)[0]

    shards = [slice(0, 1), slice(1, 3), slice(3, 9)]
    got = student.all_reduce_mean([gradient(rows) for rows in shards], [1, 2, 6])
    near(
        got,
        gradient(slice(0, 9)),
        "Weighted with the counts, the mean of the shards' gradients is that of the whole batch.",
    )


@exercise("all_reduce_mean")
def test_ranks_that_do_not_count(student: Student, draw: Draw):
    """Weights of 0, a single rank, weights of 1 and a million, and tiny ones."""
    a, b, c = draw.normal(3, 2), draw.normal(3, 2), draw.normal(3, 2)
    for weights, want in (([0, 4, 0], b), ([0, 0, 4], c)):
        near(
            student.all_reduce_mean([a, b, c], weights),
            want,
            "A rank of weight 0 does not count, neither above nor below the fraction.",
        )
    near(
        student.all_reduce_mean([a], [7]),
        a,
        "One rank alone gets its own gradient, whatever its weight.",
    )
    near(
        student.all_reduce_mean([a, b], [1, 1_000_000]),
        (a + 1_000_000 * b) / 1_000_001,
        "Weights are not clipped.",
    )
    near(
        student.all_reduce_mean([a, b], [1e-8, 3e-8]),
        (a + 3 * b) / 4,
        "The scale of the weights does not matter: add nothing to their sum.",
    )


@exercise("all_reduce_mean")
def test_scalars_and_single_precision(student: Student, draw: Draw):
    """0-d tensors, and a float32 [1, 2, 3]."""
    a, b = (torch.tensor(float(x), dtype=DOUBLE) for x in draw.uniform(1, 9, 2))
    near(student.all_reduce_mean([a, b], [1, 3]), (a + 3 * b) / 4, "0-d tensors give a 0-d tensor.")
    a, b = draw.normal(1, 2, 3, dtype=torch.float32), draw.normal(1, 2, 3, dtype=torch.float32)
    near(
        student.all_reduce_mean([a, b], [2, 3]),
        (2 * a + 3 * b) / 5,
        "The mean has the shape and the dtype of the gradients.",
    )


# --- ddp_step -----------------------------------------------------------------------------


def start(draw: Draw, V: int = 12, d: int = 3, n_experts: int = 2) -> dict[str, torch.Tensor]:
    """The weights of a small model."""
    shapes = TinyLM(V, d, n_experts).state_dict()
    return {name: draw.normal(*each.shape) / 2 for name, each in shapes.items()}


def shard(draw: Draw, lengths: list[int], tokens=range(12)) -> dict[str, torch.Tensor]:
    """Rows of these lengths, padded to the longest."""
    tokens = list(tokens)
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long) + tokens[0]
    labels = torch.full_like(ids, -100)
    for row, n in enumerate(lengths):
        ids[row, :n] = torch.tensor([draw.choice(tokens) for _ in range(n)])
        labels[row, :n] = ids[row, :n]
    return {"input_ids": ids, "labels": labels}


def without_targets(each: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same shard with all labels ignored."""
    return each | {"labels": torch.full_like(each["labels"], -100)}


def single(state, shards, lr, steps=1, plain=False):
    """One process on all shards: parameters after the steps and the losses before each.

    With `plain`, the mean over the shards of their mean losses is minimised: the mistake.
    """
    model = TinyLM.from_state(state)
    losses = []
    for _ in range(steps):
        pairs = [loss_sum(model, each) for each in shards]
        loss = sum(total for total, _ in pairs) / sum(count for _, count in pairs)
        if plain:
            loss = sum(total / count for total, count in pairs) / len(pairs)
        parameters = list(model.parameters())
        grads = torch.autograd.grad(loss, parameters, materialize_grads=True, allow_unused=True)
        with torch.no_grad():
            for parameter, grad in zip(parameters, grads, strict=True):
                parameter -= lr * grad
        losses.append(float(loss.detach()))
    return {name: each.detach().clone() for name, each in model.state_dict().items()}, losses


def stepped(student: Student, state, shards, lr, steps=1, **kwargs):
    """The states of all replicas after the student's steps, and what the steps returned."""
    replicas = student.make_replicas(state, len(shards))
    losses = [student.ddp_step(replicas, shards, lr, **kwargs) for _ in range(steps)]
    return [replica.state_dict() for replica in replicas], losses


@exercise("ddp_step", weight=2)
def test_two_replicas_step_like_one_process(student: Student, draw: Draw):
    """Rows of 9 and 7 tokens on one rank, of 3 and 2 on the other; the first replica."""
    state, lr = start(draw), float(draw.uniform(0.3, 0.6))
    shards = [shard(draw, [9, 7]), shard(draw, [3, 2])]
    states, _ = stepped(student, state, shards, lr)
    want, _ = single(state, shards, lr)
    n = [loss_sum(TinyLM.from_state(state), each)[1] for each in shards]
    alone, _ = single(state, shards[:1], lr)

    near(states[0], 
        want,
        "The step is minus lr times the gradient of the mean loss over all target tokens of all "
        "shards.",
        mistakes={
            "You averaged over the ranks without counting tokens.":
                single(state, shards, lr, plain=True)[0],
            "You summed over the ranks instead of averaging.":
                single(state, shards, 2 * lr, plain=True)[0],
            "You multiplied the mean by the number of ranks.": single(state, shards, 2 * lr)[0],
            "You used the sum of the losses over tokens, not their mean.":
                single(state, shards, lr * sum(n))[0],
            "You divided by the number of ranks as well.": single(state, shards, lr / 2)[0],
            "You stepped uphill.": single(state, shards, -lr)[0],
            "The replicas did not exchange anything.": alone,
            "The parameters did not change.": state,
        },
    )  # fmt: skip


@exercise("ddp_step")
def test_all_replicas_are_equal_after_the_step(student: Student, draw: Draw):
    """Three replicas, three experts, rows of 8, 4 and 2 tokens; the gradient is large."""
    state = start(draw, n_experts=3)
    state["head.weight"] *= 30
    shards = [shard(draw, [n]) for n in (8, 4, 2)]
    states, _ = stepped(student, state, shards, 0.4)
    want, _ = single(state, shards, 0.4)
    for each in states:
        near(
            each,
            want,
            "Every replica makes the same step, in all of its parameters, and nothing is clipped.",
            mistakes={"One of the replicas did not move.": state},
        )


@exercise("ddp_step")
def test_a_second_step_starts_afresh(student: Student, draw: Draw):
    """Three steps in a row on two replicas, and on one that is alone."""
    state = start(draw)
    shards = [shard(draw, [6, 2]), shard(draw, [4])]
    states, _ = stepped(student, state, shards, 0.3, steps=3)
    want, _ = single(state, shards, 0.3, steps=3)
    near(
        states,
        [want, want],
        "Gradients of earlier steps must not count (clear .grad, or use torch.autograd.grad); "
        "plain gradient descent keeps no state.",
    )
    states, losses = stepped(student, state, shards[:1], 0.3, steps=2)
    want, want_losses = single(state, shards[:1], 0.3, steps=2)
    message = "One replica alone makes the same step: minus lr times the gradient of the mean loss."
    near(states, [want], message)
    near(losses, want_losses, message)


@exercise("ddp_step")
def test_a_shard_without_targets_does_not_count(student: Student, draw: Draw):
    """Three ranks, the middle one without target tokens."""
    state = start(draw)
    shards = [shard(draw, [5, 3]), without_targets(shard(draw, [4])), shard(draw, [3])]
    states, losses = stepped(student, state, shards, 0.4)
    want, want_losses = single(state, shards, 0.4)
    near(
        states,
        [want] * 3,
        "A shard without targets has weight 0, and its mean must not become 0/0. Its replica "
        "makes the same step as the others.",
    )
    near(losses, want_losses, "A shard without targets does not count in the loss either.")


@exercise("ddp_step")
def test_an_expert_that_one_shard_never_reaches(student: Student, draw: Draw):
    """One rank sees even tokens only; the odd expert has a gradient on the other."""
    state = start(draw)
    shards = [shard(draw, [6], range(0, 12, 2)), shard(draw, [5, 3], range(1, 12, 2))]
    states, _ = stepped(student, state, shards, 0.4)
    want, _ = single(state, shards, 0.4)
    near(
        states,
        [want, want],
        "Where a shard has no gradient (None), it counts as zeros with the shard's full weight.",
    )


@exercise("ddp_step")
def test_the_loss_is_that_of_the_whole_batch(student: Student, draw: Draw):
    """The loss of two steps on two unequal shards; then with a step size of 0."""
    state = start(draw)
    shards = [shard(draw, [9, 6]), shard(draw, [2])]
    _, losses = stepped(student, state, shards, 0.5, steps=2)
    _, want = single(state, shards, 0.5, steps=2)
    model = TinyLM.from_state(state)
    pairs = [loss_sum(model, each) for each in shards]
    means = [float(total.detach()) / count for total, count in pairs]
    near(
        losses[0],
        want[0],
        "Return the mean loss per target token of all shards, before the step, as a Python float.",
        mistakes={
            "You averaged the ranks' mean losses.": sum(means) / 2,
            "You returned the loss of the first rank.": means[0],
            "You returned the loss of the last rank.": means[1],
            "You returned the sum over the tokens.": float(sum(t.detach() for t, _ in pairs)),
            "You returned the loss after the step.": want[1],
        },
    )
    near(losses[1], want[1], "The loss of the second step is that before it.")
    states, losses = stepped(student, state, shards, 0.0)
    message = "A step size of 0 is a number like others: the parameters stay, the loss is returned."
    near(states, [state, state], message)
    near(losses, want[:1], message)


@exercise("ddp_step")
def test_it_uses_the_all_reduce_that_it_is_given(student: Student, draw: Draw):
    """An all_reduce of ours; two replicas."""
    calls = []

    def ours(tensors, weights):
        calls.append((len(tensors), len(weights)))
        pairs = zip(tensors, map(float, weights), strict=True)
        return sum(w * t for t, w in pairs) / sum(map(float, weights))

    state = start(draw)
    shards = [shard(draw, [7, 4]), shard(draw, [3])]
    states, losses = stepped(student, state, shards, 0.2, all_reduce=ours)
    expect(calls).true(
        calls, "You were given an all_reduce and did not call it: other processes would wait."
    )
    expect(set(calls)).equals({(2, 2)}, "all_reduce gets one tensor and one weight per replica.")
    want, want_losses = single(state, shards, 0.2)
    near(states, [want, want], "What the all_reduce returns is the mean: use it as it is.")
    near(losses, want_losses, "The returned loss is the mean over all target tokens.")


@exercise("ddp_step", weight=2)
def test_every_process_makes_the_same_calls(student: Student, draw: Draw):
    """One replica per call, as in a process of its own; with and without targets, even tokens."""
    state = start(draw)
    shapes: list[list[tuple[int, ...]]] = []

    def record(tensors, weights):
        shapes[-1] += [tuple(each.shape) for each in tensors]
        return tensors[0]

    full = shard(draw, [5, 6])
    for each in (full, without_targets(full), shard(draw, [4], range(0, 12, 2))):
        shapes.append([])
        [replica] = student.make_replicas(state, 1)
        student.ddp_step([replica], [each], 0.1, all_reduce=record)
    expect(shapes[1]).equals(
        shapes[0],
        "A process whose shard has no targets must make the same all_reduce calls as the others.",
    )
    expect(shapes[2]).equals(
        shapes[0],
        "A process in which a parameter has no gradient must make the same all_reduce calls, "
        "with zeros.",
    )


@exercise("ddp_step")
def test_the_mode_of_the_replicas_stays(student: Student, draw: Draw):
    """Replicas with dropout in evaluation mode, and replicas without dropout in training mode."""
    state = start(draw)
    shards = [shard(draw, [5, 3]), shard(draw, [4])]
    replicas = student.make_replicas(state, 2, dropout=0.5)
    student.ddp_step(replicas, shards, 0.4)
    want, _ = single(state, shards, 0.4)
    near(
        [replica.state_dict() for replica in replicas],
        [want, want],
        "Leave the replicas in the mode they are in: dropout must not be switched on.",
    )
    expect([replica.get("training") for replica in replicas]).equals(
        [False, False], "Leave the replicas in the mode they are in."
    )
    replicas = student.make_replicas(state, 2)
    for replica in replicas:
        replica.train()
    student.ddp_step(replicas, shards, 0.4)
    expect([replica.get("training") for replica in replicas]).equals(
        [True, True], "Leave the replicas in the mode they are in."
    )


@exercise("ddp_step", weight=3)
def test_two_gloo_processes_step_like_one(student: Student, draw: Draw):
    """Two processes that talk over the loopback network, two steps; one sees even tokens only."""
    state = start(draw)
    shards = [shard(draw, [8, 6]), shard(draw, [3], range(0, 12, 2))]
    ranks = student.steps_in_processes(state, shards, 0.4, 2)
    want, losses = single(state, shards, 0.4, steps=2)
    wrong, _ = single(state, shards, 0.4, steps=2, plain=True)
    for got_losses, got in ranks:
        near(got, 
            want,
            "In two processes, each with its own replica and shard, the parameters after two steps "
            "are those of one process.",
            mistakes={
                "You averaged over the processes without counting tokens.": wrong,
                "The processes did not exchange their gradients.":
                    single(state, shards[:1], 0.4, steps=2)[0],
            },
        )  # fmt: skip
        near(got_losses, losses, "Every process returns the loss of the whole batch.")


# --- ring_allreduce_bytes -----------------------------------------------------------------


def ring(N: int, n_bytes: int) -> Fraction:
    """Bytes that rank 0 sends in a simulated ring; checks that the sums come out right."""
    holds = [[{rank} for _ in range(N)] for rank in range(N)]
    sent = 0
    for step in range(2 * (N - 1)):
        moving = [holds[rank][(rank - step) % N] for rank in range(N)]
        for rank in range(N):
            chunk = (rank - 1 - step) % N
            holds[rank][chunk] = moving[rank - 1] | (holds[rank][chunk] if step < N - 1 else set())
        sent += 1
    assert all(part == set(range(N)) for row in holds for part in row)
    return Fraction(n_bytes, N) * sent


def number(got) -> float:
    """A Fraction, int or float as a float."""
    expect(got).true(
        isinstance(got, int | float | Fraction) and not isinstance(got, bool),
        "Return an int, a float or a Fraction.",
    )
    return float(got)


@exercise("ring_allreduce_bytes", weight=2)
def test_the_bytes_are_those_of_a_simulated_ring(student: Student, draw: Draw):
    """5, 8 and 12 ranks and a tensor that they divide."""
    for N in (5, 8, 12):
        n = 120 * draw.integer(10, 10_000)
        want = float(ring(N, n))
        expect(number(student.ring_allreduce_bytes(N, n))).close(
            want,
            "2 (N - 1) chunks of n / N bytes: N - 1 to reduce and N - 1 to gather.",
            mistakes={
                "You counted one of the two phases.": want / 2,
                "You counted N chunks per phase instead of N - 1.": 2.0 * n,
                "You sent the whole tensor in every step.": 2.0 * n * (N - 1),
                "You sent the whole tensor to every other rank.": 1.0 * n * (N - 1),
                "You counted the whole tensor for every rank.": 1.0 * n * N,
                "You counted all ranks together.": want * N,
                "You divided by N - 1 instead of N.": 2.0 * n,
            },
        )


@exercise("ring_allreduce_bytes")
def test_one_rank_and_two(student: Student, draw: Draw):
    """A single rank sends nothing; two send the size of the tensor each; an empty tensor."""
    n = 2 * draw.integer(100, 1000)
    expect(number(student.ring_allreduce_bytes(1, n))).equals(0.0, "A single rank sends nothing.")
    expect(number(student.ring_allreduce_bytes(2, n))).close(
        float(n), "Two ranks send half of the tensor twice."
    )
    expect(number(student.ring_allreduce_bytes(3, 0))).equals(
        0.0, "An empty tensor needs no bytes."
    )


@exercise("ring_allreduce_bytes")
def test_sizes_that_do_not_come_out_even(student: Student, draw: Draw):
    """7 ranks and a size that 7 does not divide, below 7, small and large."""
    for n in (3, 7 * draw.integer(1, 5) + 3, 7 * draw.integer(10**6, 10**7) + 1):
        expect(number(student.ring_allreduce_bytes(7, n))).close(
            float(ring(7, n)), "The exact value is a fraction: do not round chunks or the result."
        )

"""Section 4 of 02_transformer. Layer normalisation, the feed-forward layer, and the block."""

import torch
import torch.nn.functional as F

from autograder.suite import Draw, Student, exercise, expect

from .oracles import (
    DOUBLE,
    block_of,
    block_weights,
    ffn_of,
    ffn_part,
    gpt2_with,
    gpt_weights,
    mha_of,
    network,
    norm_of,
)

# layer_norm

LN = "(x - mean) / sqrt(var + eps) * gamma + beta, over the last dimension, var divided by d."


def wrong_norms(x, gamma, beta, eps) -> dict[str, torch.Tensor]:
    """Mistake -> the normalised tokens that it gives."""
    c, var = x - x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)
    bessel = x.var(-1, keepdim=True)
    over_time = (x - x.mean(-2, keepdim=True)) / (
        x.var(-2, keepdim=True, correction=0) + eps).sqrt()  # fmt: skip
    over_all = (x - x.mean()) / (x.var(correction=0) + eps).sqrt()
    return {
        "The variance is divided by d - 1; divide by d (correction=0).":
            c / (bessel + eps).sqrt() * gamma + beta,
        "torch.std divides by d - 1, and eps stands outside the root.":
            c / (bessel.sqrt() + eps) * gamma + beta,
        "eps belongs inside the root: sqrt(var + eps).": c / (var.sqrt() + eps) * gamma + beta,
        "eps is missing.": c / var.sqrt() * gamma + beta,
        "The square root is missing: divide by the standard deviation.":
            c / (var + eps) * gamma + beta,
        "The mean is not subtracted.": x / (var + eps).sqrt() * gamma + beta,
        "gamma and beta are not used.": c / (var + eps).sqrt(),
        "beta is not added.": c / (var + eps).sqrt() * gamma,
        "The shift comes before the scale: normalise, times gamma, plus beta.":
            (c / (var + eps).sqrt() + beta) * gamma,
        "Mean and variance run over time; they run over the features of one token.":
            over_time * gamma + beta,
        "Mean and variance run over everything; they run over the features of one token.":
            over_all * gamma + beta,
    }  # fmt: skip


@exercise("layer_norm", weight=3)
def test_each_token_is_normalised_over_its_features(student: Student, draw: Draw):
    """A batch of tokens with different means and sizes."""
    x = draw.normal(3, 5, 6) * draw.uniform(0.5, 2.0, 3, 5, 1) + 3 * draw.normal(3, 5, 1)
    gamma, beta = draw.uniform(0.5, 2.0, 6), draw.normal(6)
    expect(student.layer_norm(x, gamma, beta)).close(
        F.layer_norm(x, (6,), gamma, beta, 1e-5), LN, mistakes=wrong_norms(x, gamma, beta, 1e-5)
    )


@exercise("layer_norm", weight=2)
def test_nearly_constant_and_constant_tokens(student: Student, draw: Draw):
    """Tokens whose variance is far below eps, and one without any."""
    x = 1 + 1e-4 * draw.normal(3, 4)
    x = torch.cat([x, torch.full((1, 4), 2.5, dtype=DOUBLE)])
    gamma, beta = draw.uniform(0.5, 2.0, 4), draw.normal(4)
    expect(student.layer_norm(x, gamma, beta)).close(
        F.layer_norm(x, (4,), gamma, beta, 1e-5),
        f"eps = 1e-5 decides what happens to nearly constant tokens. {LN}",
        mistakes=wrong_norms(x, gamma, beta, 1e-5),
    )


@exercise("layer_norm")
def test_another_eps(student: Student, draw: Draw):
    """A larger eps, by position and by name, and none."""
    x, gamma, beta = draw.normal(2, 3, 5), draw.uniform(0.5, 2.0, 5), draw.normal(5)
    eps = float(draw.uniform(0.05, 0.2))
    want = F.layer_norm(x, (5,), gamma, beta, eps)
    message = f"eps is an argument, not always 1e-5. {LN}"
    mistakes = wrong_norms(x, gamma, beta, eps)
    expect(student.layer_norm(x, gamma, beta, eps)).close(want, message, mistakes=mistakes)
    expect(student.layer_norm(x, gamma, beta, eps=eps)).close(want, message)
    expect(student.layer_norm(x, gamma, beta, 0.0)).close(
        F.layer_norm(x, (5,), gamma, beta, 0.0), message
    )


@exercise("layer_norm")
def test_any_number_of_leading_dimensions(student: Student, draw: Draw):
    """One token alone, four dimensions, as many tokens as features, and one large feature."""
    for shape in ((6,), (2, 1, 3, 4), (4, 4), (1, 1, 2), (2, 256)):
        x, d = draw.normal(*shape), shape[-1]
        x[..., 0] += 1000 if d == 256 else 0
        gamma, beta = draw.uniform(0.5, 2.0, d), draw.normal(d)
        expect(student.layer_norm(x, gamma, beta)).close(
            F.layer_norm(x, (d,), gamma, beta, 1e-5), f"Any number of leading dimensions. {LN}"
        )


@exercise("layer_norm")
def test_large_means_and_float32(student: Student, draw: Draw):
    """float32 tokens, some of them with a mean of many thousands."""
    x = draw.normal(2, 3, 16)
    gamma, beta = draw.uniform(0.5, 2.0, 16), draw.normal(16)
    expect(student.layer_norm(x.float(), gamma.float(), beta.float())).close(
        F.layer_norm(x, (16,), gamma, beta, 1e-5).float(), "Keep float32."
    )
    shifted = (x + draw.uniform(9000, 11000, 2, 3, 1)).float()
    expect(student.layer_norm(shifted, gamma.float(), beta.float())).close(
        F.layer_norm(shifted.double(), (16,), gamma, beta, 1e-5).float(),
        "Subtract the mean first and square afterwards: the mean of the squares minus the squared "
        "mean loses all digits in float32.",
        rtol=5e-3,
    )


@exercise("layer_norm")
def test_the_dtype_of_tokens_is_kept(student: Student, draw: Draw):
    """bfloat16."""
    x, gamma, beta = draw.normal(2, 3, 8), draw.uniform(0.5, 2.0, 8), draw.normal(8)
    half = [each.to(torch.bfloat16) for each in (x, gamma, beta)]
    expect(student.layer_norm(*half)).close(
        F.layer_norm(x, (8,), gamma, beta, 1e-5).to(torch.bfloat16),
        "The result has the dtype of x: cast back what you computed in a wider one.",
        rtol=6e-2,
    )


@exercise("layer_norm", weight=2)
def test_gradients_flow_through_mean_and_variance(student: Student, draw: Draw):
    """Derivatives with respect to tokens, gamma and beta."""
    x, gamma, beta = draw.normal(2, 3, 5), draw.uniform(0.5, 2.0, 5), draw.normal(5)
    pull = draw.normal(2, 3, 5)
    leaves = [each.clone().requires_grad_() for each in (x, gamma, beta)]
    out = F.layer_norm(leaves[0], (5,), leaves[1], leaves[2], 1e-5)
    wanted = torch.autograd.grad((out * pull).sum(), leaves)
    got = student.grad("layer_norm", x, gamma, beta, wrt=(0, 1, 2), cotangent=pull)
    for position, want in enumerate(wanted):
        expect(got.grads[position]).close(
            want, "Differentiate through mean and variance, too: nothing is detached."
        )


# feed_forward

FFN = "ReLU(x W1 + b1) W2 + b2: ReLU once, between the two layers."


@exercise("feed_forward", weight=3)
def test_two_layers_with_one_relu(student: Student, draw: Draw):
    """Batches of tokens, widths all different, small and large entries."""
    for size in (1.0, 1e7):
        x, net = size * draw.normal(3, 4, 5), network(draw, 5, 8, 6)
        W1, b1, W2, b2 = net
        want = ffn_of(x, *net)
        expect(student.feed_forward(x, *net)).close(
            want,
            FFN,
            mistakes={
                "There is a second ReLU at the end.": want.relu(),
                "b2 is missing.": want - b2,
                "b1 is missing.": ffn_of(x, W1, 0 * b1, W2, b2),
                "The activation is GELU; the lecture has ReLU.": F.gelu(x @ W1 + b1) @ W2 + b2,
                "The activation is missing.": (x @ W1 + b1) @ W2 + b2,
                "b1 is added after the ReLU.": ((x @ W1).relu() + b1) @ W2 + b2,
                "The token itself is added; the residual belongs to the block.":
                    want[..., :5] + x,
            },
        )  # fmt: skip


@exercise("feed_forward")
def test_square_matrices_are_not_transposed(student: Student, draw: Draw):
    """All widths equal."""
    x, net = draw.normal(2, 4, 4), network(draw, 4, 4, 4)
    W1, b1, W2, b2 = net
    expect(student.feed_forward(x, *net)).close(
        ffn_of(x, *net),
        FFN,
        mistakes={
            "The weights are transposed; rows are tokens, x @ W.": ffn_of(x, W1.T, b1, W2.T, b2),
            "The two layers are exchanged.": ffn_of(x, W2, b2, W1, b1),
        },
    )


@exercise("feed_forward")
def test_any_leading_dimensions_and_dtypes(student: Student, draw: Draw):
    """One token, one text of one token, four dimensions; then float32 and bfloat16."""
    net = network(draw, 5, 3, 4)
    for lead in ((), (1, 1), (2, 3, 2)):
        x = draw.normal(*lead, 5)
        expect(student.feed_forward(x, *net)).close(ffn_of(x, *net), FFN)
    x = draw.normal(2, 5)
    for dtype, rtol in ((torch.float32, 1e-4), (torch.bfloat16, 6e-2)):
        expect(student.feed_forward(x.to(dtype), *(each.to(dtype) for each in net))).close(
            ffn_of(x, *net).to(dtype), "Keep the dtype of x.", rtol=rtol
        )


@exercise("feed_forward")
def test_gradients_flow_through_both_layers(student: Student, draw: Draw):
    """Derivatives with respect to tokens, weights and biases."""
    arguments = [draw.normal(2, 3, 5), *network(draw, 5, 8, 6)]
    pull = draw.normal(2, 3, 6)
    leaves = [each.clone().requires_grad_() for each in arguments]
    wanted = torch.autograd.grad((ffn_of(*leaves) * pull).sum(), leaves)
    got = student.grad("feed_forward", *arguments, wrt=(0, 1, 2, 3, 4), cotangent=pull)
    for position, want in enumerate(wanted):
        expect(got.grads[position]).close(
            want, "Gradients must reach tokens, weights and biases: nothing is detached."
        )


# transformer_block


def wrong_blocks(x, p: dict, H: int) -> dict[str, torch.Tensor]:
    """Mistake -> the output that it gives."""
    t1 = norm_of(x, p, "ln1")
    t2 = mha_of(t1, p, H)
    t3 = x + t2
    t4 = norm_of(t3, p, "ln2")
    post = norm_of(x + mha_of(x, p, H), p, "ln1")
    exchanged = {f"ln{i}_{n}": p[f"ln{3 - i}_{n}"] for i in (1, 2) for n in ("gamma", "beta")}
    silent = {**p, **{name: 0 * p[name] for name in ("bq", "bk", "bv", "bo")}}
    return {
        "This is post-norm: normalise before each part, not after the sum.":
            norm_of(post + ffn_part(post, p), p, "ln2"),
        "The first residual starts from the normalised tokens; it starts from x.":
            (t1 + t2) + ffn_part(norm_of(t1 + t2, p, "ln2"), p),
        "The second residual starts from the normalised tokens; it starts from t3.":
            t4 + ffn_part(t4, p),
        "The second residual starts from x; it starts from t3 = x + attention.":
            x + ffn_part(t4, p),
        "The first residual is missing.": t2 + ffn_part(norm_of(t2, p, "ln2"), p),
        "The second residual is missing.": ffn_part(t4, p),
        "Both normalisations use the weights of ln1; the second has its own.":
            t3 + ffn_part(norm_of(t3, p, "ln1"), p),
        "The weights of ln1 and ln2 are exchanged.": block_of(x, {**p, **exchanged}, H),
        "The second normalisation is missing.": t3 + ffn_part(t3, p),
        "The first normalisation is missing.":
            x + mha_of(x, p, H) + ffn_part(norm_of(x + mha_of(x, p, H), p, "ln2"), p),
        "Attention and FFN both start from x: the FFN comes after attention.":
            t3 + ffn_part(norm_of(x, p, "ln2"), p),
        "The causal mask is missing.": block_of(x, p, H, causal=False),
        "The biases of the attention are missing.": block_of(x, silent, H),
    }  # fmt: skip


BLOCK = "h = t3 + FFN(LN2(t3)) with t3 = x + MHA(LN1(x)), the causal mask and all biases."


@exercise("transformer_block", weight=4)
def test_a_pre_norm_block(student: Student, draw: Draw):
    """Two texts, three heads that together are narrower than the model."""
    x, p = draw.normal(2, 5, 8), block_weights(draw, 8, 6, 10)
    expect(student.transformer_block(x, p, 3)).close(
        block_of(x, p, 3), BLOCK, mistakes=wrong_blocks(x, p, 3)
    )


@exercise("transformer_block", weight=3)
def test_equal_to_the_block_of_gpt2(student: Student, draw: Draw):
    """The first block of a GPT2LMHeadModel with the same weights."""
    params = gpt_weights(draw, 11, 7, 12, 16, 2)
    library = gpt2_with(params, 3, 16)
    with torch.no_grad():
        embedded, after, *_ = library(draw.integers(0, 11, 2, 6), output_hidden_states=True)[
            "hidden_states"
        ]
    expect(student.transformer_block(embedded, params["blocks"][0], 3)).close(
        after,
        f"With GPT-2's weights the block gives what GPT2Block of transformers gives. {BLOCK}",
        mistakes=wrong_blocks(embedded, params["blocks"][0], 3),
    )


@exercise("transformer_block")
def test_silent_parts_leave_the_tokens_alone(student: Student, draw: Draw):
    """Large tokens; output weights and biases zero, in both parts and in one of them."""
    x, p = 1e6 * draw.normal(2, 4, 6), block_weights(draw, 6, 6, 8)
    no_attention = {**p, "Wo": 0 * p["Wo"], "bo": 0 * p["bo"]}
    silent = {**no_attention, "W2": 0 * p["W2"], "b2": 0 * p["b2"]}
    expect(student.transformer_block(x, silent, 2)).close(
        x, "If attention and FFN add nothing, the block returns x: the residual is x itself."
    )
    expect(student.transformer_block(x, no_attention, 2)).close(
        block_of(x, no_attention, 2), f"Attention adds nothing, the FFN does. {BLOCK}"
    )


@exercise("transformer_block")
def test_the_block_sees_no_future(student: Student, draw: Draw):
    """Later tokens of a longer text replaced."""
    x, p = draw.normal(2, 70, 6), block_weights(draw, 6, 6, 8)
    t = draw.integer(66, 69)
    other = torch.cat([x[:, :t], 10 * draw.normal(2, 70 - t, 6)], dim=1)
    expect(student.transformer_block(other, p, 2)[:, :t]).close(
        block_of(x[:, :t], p, 2),
        "Outputs must depend on all earlier tokens and on no later ones: use the causal mask, as "
        "large as the text.",
    )


@exercise("transformer_block")
def test_small_tokens_and_small_shapes(student: Student, draw: Draw):
    """Tokens with a tiny variance, where eps matters; one token; one head."""
    for shape, H, size in (((2, 3, 6), 2, 1e-3), ((1, 1, 6), 3, 1.0), ((1, 4, 6), 1, 1.0)):
        x, p = size * draw.normal(*shape), block_weights(draw, 6, 6, 8)
        expect(student.transformer_block(x, p, H)).close(
            block_of(x, p, H),
            f"eps = 1e-5 in both normalisations, any number of tokens and heads. {BLOCK}",
        )


@exercise("transformer_block")
def test_float32_blocks_and_their_gradient(student: Student, draw: Draw):
    """float32, then the derivative with respect to the tokens."""
    x, p = draw.normal(2, 4, 6), block_weights(draw, 6, 6, 8)
    single = {name: each.float() for name, each in p.items()}
    expect(student.transformer_block(x.float(), single, 2)).close(
        block_of(x, p, 2).float(), "Keep float32.", rtol=1e-4
    )
    pull, leaf = draw.normal(2, 4, 6), x.clone().requires_grad_()
    (want,) = torch.autograd.grad((block_of(leaf, p, 2) * pull).sum(), leaf)
    got = student.grad("transformer_block", x, p, 2, wrt=(0,), cotangent=pull)
    expect(got.grads[0]).close(want, "Gradients must flow through the block: nothing is detached.")

"""Hidden suite of the project.

Strategy: losses are compared with their formulas in plain Python floats and with gradients by
value, away from the reference policy, where a missing detach shows. Log-probabilities are
compared with tables of free logits, row by row and without padding, and with the sum over all
completions, which is 1. The training loop must walk the trajectory of a second loop written here.
Policies handed in are not tested here: `autograder.project` re-evaluates the files.
"""

import itertools
import math

import torch

from autograder.suite import Draw, Student, exercise, expect, model
from sft2rl.models import TabularLM
from sft2rl.schedule import batch_rows, lr_factor

PRELOAD = ("transformers",)
DEPENDS = {"train_offline": ["completion_logps", "dpo_loss", "pg_loss", "copg_loss"]}
FORBIDDEN = {
    "train_offline": ["torch.multinomial", "torch.distributions", "sft2rl.sampling"],
}

DOUBLE = torch.float64
IMPOSSIBLE = -float("inf")


def doubles(*values) -> torch.Tensor:
    """A float64 tensor."""
    return torch.tensor(values, dtype=DOUBLE)


def softplus(x: float) -> float:
    """ln(1 + e^x), for any x."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def sigmoid(x: float) -> float:
    """1 / (1 + e^-x), for moderate x."""
    return 1.0 / (1.0 + math.exp(-x))


# reward_model_loss


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


# completion_logps


def table_model(draw: Draw, vocab_size: int, context: int, blocked: tuple[int, ...] = ()):
    """A table of free logits, as a model here and as a model that crosses."""
    config = {"vocab_size": vocab_size, "context": context}
    here = TabularLM(**config)
    table = draw.normal(*here.table.shape)
    table[:, list(blocked)] = IMPOSSIBLE
    here.table.data = table
    return here, model("sft2rl.models.TabularLM", config, {"table": table})


def logp_of(here: torch.nn.Module, prompt: list[int], completion: list[int]) -> float:
    """ln pi(completion | prompt) token by token, without padding, by plain arithmetic."""
    total = 0.0
    for place, token in enumerate(completion):
        prefix = torch.tensor([prompt + completion[:place]])
        logits = here(input_ids=prefix).logits[0, -1].detach().double()
        total += float(logits[token] - torch.logsumexp(logits, 0))
    return total


def batch_of(rows, left=None, width=None):
    """input_ids, attention_mask and completion_mask of (prompt, completion) rows.

    `left[i]` padding tokens stand before row i, the others after it.
    """
    left = left or [0] * len(rows)
    width = width or max(n + len(p) + len(c) for n, (p, c) in zip(left, rows, strict=True))
    input_ids = torch.zeros(len(rows), width, dtype=torch.long)
    attention, completion = torch.zeros_like(input_ids), torch.zeros_like(input_ids)
    for i, (n, (p, c)) in enumerate(zip(left, rows, strict=True)):
        input_ids[i, n : n + len(p) + len(c)] = torch.tensor(p + c)
        attention[i, n : n + len(p) + len(c)] = 1
        completion[i, n + len(p) : n + len(p) + len(c)] = 1
    return input_ids, attention, completion


def ragged_rows(draw: Draw, words: range):
    """Prompts of one to three tokens, completions of one to four, the last of them token 1."""
    lengths = draw.shuffled([(1, 4), (3, 1), (2, 3), (2, 2)])
    return [
        (draw.integers(words.start, words.stop, p).tolist(),
         [*draw.integers(words.start, words.stop, c - 1).tolist(), 1])
        for p, c in lengths
    ]  # fmt: skip


@exercise("completion_logps", weight=2)
def test_a_ragged_batch_gives_the_sum_over_each_completion(student: Student, draw: Draw):
    """Prompts and completions of several lengths, padded on the right; free logits."""
    here, crossing = table_model(draw, 5, 7)
    rows = ragged_rows(draw, range(2, 5))
    batch = batch_of(rows)
    want = doubles(*[logp_of(here, p, c) for p, c in rows])
    lengths = doubles(*[len(c) for _, c in rows])
    counted = batch[1].clone()
    counted[:, 0] = 0
    logits = here(batch[0], batch[1]).logits.detach().log_softmax(-1)
    unshifted = logits.gather(-1, batch[0][..., None])[..., 0]
    expect(student.completion_logps(crossing, *batch)).close(
        want,
        "ln pi(y|x) is the sum over the tokens of the completion, its end of sequence included.",
        mistakes={
            "You averaged over the tokens.": want / lengths,
            "The end of sequence is missing from the sum.":
                doubles(*[logp_of(here, p, c[:-1]) for p, c in rows]),
            "You counted the prompt as well.":
                doubles(*[logp_of(here, p[:1], p[1:] + c) for p, c in rows]),
            "There is no shift: logits[:, t] predict token t + 1.":
                (unshifted * batch[2]).sum(1),
            "You returned one number for the whole batch.": want.mean(),
            "You added the rows of the batch.": want.sum(),
            "The sign is wrong: log-probabilities are negative.": -want,
        },
    )  # fmt: skip


@exercise("completion_logps")
def test_the_probabilities_of_all_completions_add_up_to_one(student: Student, draw: Draw):
    """Every completion of one prompt, ended or cut off at three tokens, is listed."""
    _, crossing = table_model(draw, 4, 5, blocked=(0,))
    words, prompt = (2, 3), [int(draw.integer(2, 4))]
    ended = [[*y, 1] for n in range(3) for y in itertools.product(words, repeat=n)]
    cut = [list(y) for y in itertools.product(words, repeat=3)]
    batch = batch_of([(prompt, y) for y in ended + cut])
    got = student.completion_logps(crossing, *batch)
    text = "exp of the log-probabilities of all completions of a prompt must add up to 1."
    logps = expect(got).tensor((len(ended + cut),), DOUBLE, text)
    expect(float(logps.exp().sum())).close(
        1.0, f"{text} Count every token of the completion once, at the position that predicts it."
    )


def small_llama(draw: Draw, layers: int):
    """A Llama with dropout in its attention, here and as a model that crosses; both evaluate."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = {
        "vocab_size": 7, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": layers,
        "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 32,
        "attention_dropout": 0.5,
    }  # fmt: skip
    here = LlamaForCausalLM(LlamaConfig(**config)).double().eval()
    state = {
        name: draw.normal(*tensor.shape) * (1.0 if tensor.ndim == 1 else 0.6)
        for name, tensor in here.state_dict().items()
    }
    here.load_state_dict(state)
    return here, model("transformers.LlamaForCausalLM", config, state)


@exercise("completion_logps", weight=1.5)
def test_padding_on_the_left_changes_nothing(student: Student, draw: Draw):
    """A small Llama; shorter prompts are padded on the left, shorter completions on the right."""
    here, crossing = small_llama(draw, 2)
    rows = [([2, 3, 4], [5, 1]), ([6], [3, 2, 4, 1]), ([4, 2], [6, 6, 1])]
    rows = [(draw.shuffled(p), c) for p, c in rows]
    batch = batch_of(rows, left=[0, 2, 1])
    want = doubles(*[logp_of(here, p, c) for p, c in rows])
    with torch.no_grad():
        logps = here(input_ids=batch[0]).logits[:, :-1].log_softmax(-1)
    picked = logps.gather(-1, batch[0][:, 1:, None])[..., 0]
    expect(student.completion_logps(crossing, *batch)).close(
        want,
        "Hand attention_mask to the model, which stays in the mode it is in (dropout!); each row "
        "counts exactly its completion_mask.",
        mistakes={
            "The model was not told about the padding: pass attention_mask.":
                (picked * batch[2][:, 1:]).sum(1)
        },
        rtol=1e-6,
    )  # fmt: skip


@exercise("completion_logps")
def test_impossible_tokens_that_do_not_count_do_no_harm(student: Student, draw: Draw):
    """The padding token has probability zero everywhere."""
    here, crossing = table_model(draw, 5, 7, blocked=(0,))
    rows = ragged_rows(draw, range(2, 5))
    want = doubles(*[logp_of(here, p, c) for p, c in rows])
    expect(student.completion_logps(crossing, *batch_of(rows, width=8))).close(
        want,
        "Zero times minus infinity is not a number: choose the counted tokens (masked_fill, "
        "where) instead of multiplying by the mask.",
    )


@exercise("completion_logps", weight=1.5)
def test_the_gradient_reaches_the_model(student: Student, draw: Draw):
    """The gradient of the mean log-probability in every logit, by value; padding impossible."""
    here, crossing = table_model(draw, 5, 7, blocked=(0,))
    rows = ragged_rows(draw, range(2, 5))
    total = 0.0
    for prompt, completion in rows:
        for place, token in enumerate(completion):
            prefix = torch.tensor([prompt + completion[:place]])
            total = total + here(prefix).logits[0, -1].log_softmax(-1)[token]
    (want,) = torch.autograd.grad(total / len(rows), here.table)
    got = student.logp_gradient(crossing, *batch_of(rows))
    text = "The result must be differentiable in the parameters: no no_grad, no detach, no .item()."
    expect(isinstance(got, dict) and got.get("table") is not None).true(True, text)
    gradient = got.get("table") if isinstance(got, dict) else None
    expect(gradient).close(want, text)


@exercise("completion_logps", weight=0.5)
def test_padding_is_what_the_mask_says(student: Student, draw: Draw):
    """Token 0 is a word, in prompts and in completions; the padding is another token."""
    here, crossing = table_model(draw, 5, 7)
    a, b = (draw.integer(2, 5) for _ in range(2))
    rows = [([0, a], [b, 0, 1]), ([a], [0, 1]), ([b, a, 0], [1])]
    ids, attention, completion = batch_of(rows, left=[1, 2, 0], width=7)
    ids = ids.masked_fill(attention == 0, draw.integer(2, 5))
    want = doubles(*[logp_of(here, p, c) for p, c in rows])
    expect(student.completion_logps(crossing, ids, attention, completion)).close(
        want, "What is padding the masks say, and not the number of the token: 0 may be a word."
    )


@exercise("completion_logps", weight=0.5)
def test_one_row_and_one_token(student: Student, draw: Draw):
    """A batch of one, and prompts of one token with completions of one."""
    here, crossing = table_model(draw, 5, 7)
    long, *short = [(draw.integers(2, 5, n).tolist(), [c]) for n, c in ((4, 1), (1, 1), (1, 3))]
    for rows in ([long], short):
        expect(student.completion_logps(crossing, *batch_of(rows))).close(
            doubles(*[logp_of(here, p, c) for p, c in rows]),
            "One row is a batch, too, and one token a completion: squeeze one dimension only.",
        )


@exercise("completion_logps", weight=0.5)
def test_an_impossible_completion_is_not_a_likely_one(student: Student, draw: Draw):
    """A token that counts has probability zero."""
    _, crossing = table_model(draw, 5, 7, blocked=(0,))
    words = draw.integers(2, 5, 2).tolist()
    got = student.completion_logps(crossing, *batch_of([([2], [words[0], 0, 1]), ([3], words)]))
    text = "ln 0 is minus infinity: only tokens that are not counted may be passed over."
    logps = expect(got).tensor((2,), DOUBLE, text)
    expect(bool(logps[0] < -1e9)).true(bool(logps[0] < -1e9), text)


@exercise("completion_logps")
def test_certain_tokens_and_empty_completions(student: Student, draw: Draw):
    """Logits hundreds apart in float32, and a row whose completion is empty."""
    here = TabularLM(4, 5)
    table = 200 * draw.normal(*here.table.shape).round()
    table[:, 1] += 500
    here.table.data = table
    crossing = model("sft2rl.models.TabularLM", {"vocab_size": 4, "context": 5},
                     {"table": table.float()})  # fmt: skip
    rows = [([2], [3, 2, 1]), ([3, 2, 2], []), ([2, 3], [1])]
    want = torch.tensor([logp_of(here, p, c) for p, c in rows]).float()
    expect(student.completion_logps(crossing, *batch_of(rows))).close(
        want,
        "Use log_softmax (not the logarithm of softmax), keep the dtype of the logits, and give 0 "
        "for an empty completion.",
    )


# dpo_loss


def dpo_inputs(draw: Draw, count: int):
    """Four rows of log-probabilities; log-ratios of both signs."""
    parts = [draw.uniform(-9, -1, count) for _ in range(4)]
    return parts, float(draw.uniform(0.15, 0.7))


@exercise("dpo_loss")
def test_dpo_is_a_logistic_loss_on_implicit_rewards(student: Student, draw: Draw):
    """A policy far from the reference, beta below one."""
    (cw, cl, rw, rl), beta = dpo_inputs(draw, 6)
    margins = ((cw - rw) - (cl - rl)).tolist()

    def mean(values) -> torch.Tensor:
        values = list(values)
        return doubles(sum(values) / len(values)).squeeze()

    expect(student.dpo_loss(cw, cl, rw, rl, beta)).close(
        mean(softplus(-beta * m) for m in margins),
        "DPO is the mean of -ln sigmoid(beta (h_chosen - h_rejected)), h = ln pi - ln pi_ref.",
        mistakes={
            "Chosen and rejected are exchanged.": mean(softplus(beta * m) for m in margins),
            "beta is missing.": mean(softplus(-m) for m in margins),
            "beta multiplies the loss instead of the margin.":
                mean(beta * softplus(-m) for m in margins),
            "You divided by beta.": mean(softplus(-m / beta) for m in margins),
            "The reference is missing.":
                mean(softplus(-beta * m) for m in (cw - cl).tolist()),
            "The reference's difference is added instead of subtracted.":
                mean(softplus(-beta * m) for m in (cw + rw - cl - rl).tolist()),
            "You added the pairs instead of averaging.":
                6 * mean(softplus(-beta * m) for m in margins),
            "That is the square of IPO, not the logistic loss.":
                mean((m - 1 / (2 * beta)) ** 2 for m in margins),
        },
    )  # fmt: skip


@exercise("dpo_loss")
def test_the_gradient_of_dpo(student: Student, draw: Draw):
    """Gradients in both policies' log-probabilities; the reference gets none."""
    (cw, cl, rw, rl), beta = dpo_inputs(draw, 3)
    margins = ((cw - rw) - (cl - rl)).tolist()
    want = doubles(*[-beta * sigmoid(-beta * m) / 3 for m in margins])
    got = student.grad("dpo_loss", cw, cl, rw, rl, beta, wrt=(0, 1, 2, 3))
    text = "The gradient is -beta sigmoid(-beta margin) / B in the chosen, plus in the rejected."
    expect(got.grads[0]).close(want, text)
    expect(got.grads[1]).close(-want, text)
    frozen = all(got.grads[i] is None or not bool(got.grads[i].any()) for i in (2, 3))
    expect(frozen).true(frozen, "The reference is a constant: detach its log-probabilities.")


@exercise("dpo_loss")
def test_extreme_margins_of_dpo(student: Student, draw: Draw):
    """Margins of thousands in both directions, value and gradient."""
    far, beta = float(draw.uniform(3000, 5000)), 0.5
    zero = doubles(0, 0)
    got = student.grad("dpo_loss", doubles(-far, far), zero, zero, zero, beta, wrt=(0,))
    text = "Use a stable form such as softplus(-beta * margin): no overflow, no clamp."
    expect(got.value).close(doubles(beta * far / 2).squeeze(), text)
    expect(got.grads[0]).close(doubles(-beta / 2, 0), text)


@exercise("dpo_loss", weight=0.5)
def test_dpo_keeps_single_precision(student: Student, draw: Draw):
    """float32, as a model gives it, with one pair."""
    parts = [draw.uniform(-5, -1, 1).float() for _ in range(4)]
    margin = float((parts[0] - parts[2]) - (parts[1] - parts[3]))
    expect(student.dpo_loss(*parts, 0.4)).close(
        torch.tensor(softplus(-0.4 * margin)), "Keep the dtype; one pair is a batch as well.",
        rtol=1e-5,
    )  # fmt: skip


# pg_loss


def pg_inputs(draw: Draw, B: int, K: int):
    """A policy away from the reference, once very far; rewards of both signs, beta not one."""
    logps, refs = draw.uniform(-9, -1, B, K), draw.uniform(-9, -1, B, K)
    logps[0, 0] -= 150
    rewards = 2 * draw.normal(B, K).clamp(-2, 2) + 0.5
    return logps, refs, rewards, float(draw.uniform(0.2, 0.6))


def pg_gradients(logps, refs, rewards, beta, baseline):
    """The right gradient, and what mistakes make of it."""
    shape = logps.shape
    h = logps - refs
    regularised = rewards - beta * h

    def gradient(coefficient) -> torch.Tensor:
        return -(coefficient - baseline) / (shape[0] * shape[1])

    right = gradient(regularised)
    return right, {
        "The KL term is missing from the reward: R - beta (ln pi - ln pi_ref).": gradient(rewards),
        "The sign of the KL term is wrong.": gradient(rewards + beta * h),
        "The coefficient is not detached: beta ln pi was differentiated as well.":
            right + beta * logps / (shape[0] * shape[1]),
        "That ascends the wrong way: a loss is minimised.": -right,
        "You added the completions instead of averaging over all of them.":
            right * shape[0] * shape[1],
        "You averaged over prompts only.": right * shape[1],
        "beta multiplies the whole coefficient.": gradient(beta * (rewards - h)),
    }  # fmt: skip


def check_pg(student: Student, inputs, baseline, value, text: str, more=None):
    """One call, its gradient by value and its value."""
    right, mistakes = pg_gradients(*inputs, value)
    got = student.grad("pg_loss", *inputs, baseline, wrt=(0,))
    gradient = got.grads[0] if got.grads[0] is not None else torch.zeros(0)
    expect(gradient).close(right, text, mistakes={**mistakes, **(more or {})})
    want = (right * inputs[0]).sum()
    expect(got.value).close(want, "The value is minus the mean of coefficient * ln pi.", rtol=1e-8)


@exercise("pg_loss", weight=1.5)
def test_without_a_baseline_each_completion_earns_its_regularised_reward(
    student: Student, draw: Draw
):
    """Four prompts with three completions each, off the reference; gradient by value."""
    check_pg(
        student, pg_inputs(draw, 4, 3), None, 0.0,
        "The gradient in ln pi is -(R - beta (ln pi - ln pi_ref)) / (B K): coefficient detached, "
        "nothing clamped.",
    )  # fmt: skip


@exercise("pg_loss")
def test_a_constant_baseline_is_subtracted(student: Student, draw: Draw):
    """A number, two completions per prompt."""
    inputs, b = pg_inputs(draw, 3, 2), float(draw.uniform(0.8, 2.0))
    without, _ = pg_gradients(*inputs, 0.0)
    added, _ = pg_gradients(*inputs, -b)
    check_pg(
        student, inputs, b, b, "A number is a constant baseline: the coefficient is R_beta - b.",
        {"The baseline has no effect.": without, "The baseline was added.": added},
    )  # fmt: skip


@exercise("pg_loss")
def test_a_tensor_of_baselines_broadcasts_and_gets_no_gradient(student: Student, draw: Draw):
    """One baseline per prompt, [B, 1], then one per place in the row, [K]."""
    logps, refs, rewards, beta = pg_inputs(draw, 3, 3)
    for b in (draw.normal(3, 1), draw.normal(3)):
        right, mistakes = pg_gradients(logps, refs, rewards, beta, b)
        got = student.grad("pg_loss", logps, refs, rewards, beta, b, wrt=(0, 4))
        gradient = got.grads[0] if got.grads[0] is not None else torch.zeros(0)
        text = "A tensor baseline broadcasts to [B, K], as tensors do."
        turned = -(rewards - beta * (logps - refs) - b.reshape(1, 3).T) / 9
        note = "A tensor baseline [K] belongs to the places in a row, not to the prompts."
        more = {note: turned} if b.ndim == 1 else {}
        expect(gradient).close(right, text, mistakes={**mistakes, **more})
        quiet = got.grads[4] is None or not bool(got.grads[4].any())
        expect(quiet).true(quiet, "The baseline is a constant: detach it.")


@exercise("pg_loss", weight=0.5)
def test_rewards_and_reference_get_no_gradient(student: Student, draw: Draw):
    """Rewards and reference that ask for a gradient, as the policy does."""
    inputs = pg_inputs(draw, 2, 3)
    text = "The whole coefficient is a constant: no gradient in rewards or reference."
    for baseline in (None, "loo"):
        got = student.grad("pg_loss", *inputs, baseline, wrt=(0, 1, 2))
        quiet = all(got.grads[i] is None or not bool(got.grads[i].any()) for i in (1, 2))
        expect(quiet).true(quiet, text)


@exercise("pg_loss", weight=0.5)
def test_a_single_completion_and_a_whole_number(student: Student, draw: Draw):
    """One completion per prompt, without a baseline and with an integer."""
    inputs = pg_inputs(draw, 3, 1)
    b = draw.integer(2, 5)
    for baseline in (None, b):
        check_pg(
            student, inputs, baseline, float(baseline or 0),
            "A whole number is a number, too, and only leave-one-out needs two completions.",
        )  # fmt: skip


@exercise("pg_loss", weight=0.5)
def test_one_prompt_in_single_precision(student: Student, draw: Draw):
    """A batch of one prompt with three completions, float32 as a model gives it."""
    logps, refs, rewards, beta = pg_inputs(draw, 1, 3)
    logps, refs, rewards = logps.float(), refs.float(), rewards.float()
    regularised = rewards.double() - beta * (logps.double() - refs.double())
    want = -((regularised - leave_one_out(regularised)) * logps.double()).mean()
    expect(student.pg_loss(logps, refs, rewards, beta, "loo")).close(
        want.float(), "Keep the dtype of logps; one prompt is a batch as well.",
        scale=float((regularised * logps).abs().mean()),
    )  # fmt: skip


def leave_one_out(values: torch.Tensor) -> torch.Tensor:
    """By a loop: the mean of the others in each row."""
    out = torch.zeros_like(values)
    for i, k in itertools.product(range(values.shape[0]), range(values.shape[1])):
        others = [float(values[i, j]) for j in range(values.shape[1]) if j != k]
        out[i, k] = sum(others) / len(others)
    return out


@exercise("pg_loss", weight=1.5)
def test_leave_one_out_uses_the_regularised_rewards_of_the_others(student: Student, draw: Draw):
    """Two prompts with four completions each; the baseline is computed by a loop."""
    logps, refs, rewards, beta = inputs = pg_inputs(draw, 2, 4)
    regularised = rewards - beta * (logps - refs)

    def with_baseline(b) -> torch.Tensor:
        return -(regularised - b) / regularised.numel()

    everybody = regularised.flatten()
    across = ((everybody.sum() - everybody) / (everybody.numel() - 1)).view_as(regularised)
    check_pg(
        student, inputs, "loo", leave_one_out(regularised),
        "Leave-one-out: the mean regularised reward of the other completions of the same prompt.",
        {
            "Your baseline includes the completion itself: that is the group mean.":
                with_baseline(regularised.mean(1, keepdim=True)),
            "You divided by K instead of K - 1.":
                with_baseline(leave_one_out(regularised) * 3 / 4),
            "Your baseline leaves out the KL term: it is made of plain rewards.":
                with_baseline(leave_one_out(rewards)),
            "Your baseline runs over all prompts of the batch.": with_baseline(across),
            "Your baseline runs over prompts instead of completions.":
                with_baseline(leave_one_out(regularised.T).T),
        },
    )  # fmt: skip


@exercise("pg_loss", weight=0.5)
def test_leave_one_out_of_one_is_refused(student: Student, draw: Draw):
    """A single completion per prompt has no others."""
    raised = student.raised("pg_loss", *pg_inputs(draw, 3, 1), "loo")
    expect(raised).equals("ValueError", 'Raise ValueError for "loo" when K = 1.')


# copg_loss


def copg_inputs(draw: Draw, count: int):
    """Two completions per pair, far from the reference, the first very far."""
    logps = [draw.uniform(-9, -1, count) for _ in range(4)]
    logps[0][0] -= 150
    rewards = [2 * draw.normal(count).clamp(-2, 2) for _ in range(2)]
    return [*logps, *rewards], float(draw.uniform(0.2, 0.7))


@exercise("copg_loss", weight=1.5)
def test_copg_is_minus_the_contrastive_objective(student: Student, draw: Draw):
    """The value of the loss, in closed form, off the reference."""
    args, beta = copg_inputs(draw, 5)
    a, b, ra, rb, R, S = args
    dh, dR = (a - ra) - (b - rb), R - S
    right = -((dR - beta / 2 * dh) * dh).mean()
    expect(student.copg_loss(*args, beta)).close(
        right,
        "The loss is minus the mean of (dR - beta/2 dh) dh, with dh the difference of log-ratios. "
        "Nothing is clamped.",
        mistakes={
            "You returned the objective: a loss is minimised.": -right,
            "That is beta, not beta / 2.": -((dR - beta * dh) * dh).mean(),
            "You added the pairs instead of averaging.": right * 5,
            "Only one of the two terms is there.":
                -((R - S - beta / 2 * dh) * (a - ra)).mean(),
            "The reference is missing.":
                -((dR - beta / 2 * (a - b)) * (a - b)).mean(),
            "That is the squared form; the loss asked for is the objective's negative.":
                ((dR - beta * dh) ** 2).mean(),
            "The sign of the KL term is wrong.": -((dR + beta / 2 * dh) * dh).mean(),
            "beta / 2 multiplies the rewards.": -((beta / 2 * dR - dh) * dh).mean(),
        },
    )  # fmt: skip


@exercise("copg_loss", weight=1.5)
def test_nothing_of_the_policy_is_detached_in_copg(student: Student, draw: Draw):
    """The gradient in both log-probabilities by value; the reference gets none."""
    args, beta = copg_inputs(draw, 4)
    a, b, ra, rb, R, S = args
    dh, dR = (a - ra) - (b - rb), R - S
    right = -(dR - beta * dh) / 4
    detached = -(dR - beta / 2 * dh) / 4
    got = student.grad("copg_loss", *args, beta, wrt=(0, 1, 2, 3))
    grads = [g if g is not None else torch.zeros(0) for g in (got.grads[0], got.grads[1])]
    text = "The gradient is -(dR - beta dh) / B in the first log-probability, plus in the second."
    note = "The first factor is detached: then the gradient has beta / 2, and the optimum moves."
    expect(grads[0]).close(right, text, mistakes={note: detached})
    expect(grads[1]).close(-right, text, mistakes={note: -detached})
    frozen = all(got.grads[i] is None or not bool(got.grads[i].any()) for i in (2, 3))
    expect(frozen).true(frozen, "The reference is a constant: detach its log-probabilities.")


@exercise("copg_loss", weight=0.5)
def test_copg_keeps_single_precision(student: Student, draw: Draw):
    """float32, as a model gives it, with one pair."""
    args, beta = copg_inputs(draw, 1)
    args = [each.float() for each in args]
    a, b, ra, rb, R, S = (float(each) for each in args)
    dh = (a - ra) - (b - rb)
    expect(student.copg_loss(*args, beta)).close(
        torch.tensor(-(R - S - beta / 2 * dh) * dh), "Keep the dtype; one pair is a batch as well.",
        rtol=1e-5,
    )  # fmt: skip


@exercise("copg_loss")
def test_copg_does_not_see_a_shift_of_all_rewards(student: Student, draw: Draw):
    """Whole-number rewards plus a constant, and the two completions exchanged."""
    args, beta = copg_inputs(draw, 4)
    args[4:] = [each.round() for each in args[4:]]
    a, b, ra, rb, R, S = args
    first = student.copg_loss(*args, beta)
    text = "The rewards enter by their difference only: adding a constant changes nothing."
    dh = (a - ra) - (b - rb)
    want = -((R - S - beta / 2 * dh) * dh).mean()
    expect(first).close(want, text)
    expect(student.copg_loss(a, b, ra, rb, R + 64, S + 64, beta)).close(want, text)
    swapped = student.copg_loss(b, a, rb, ra, S, R, beta)
    expect(swapped).close(want, "Exchanging the two completions of each pair changes nothing.")


# train_offline


def tiny_data(draw: Draw, N: int):
    """Stored pairs for a table of four tokens: ragged, padded on the right."""
    rows = []
    for _ in range(2 * N):
        length = draw.integer(1, 4)
        rows.append(([2], [*draw.integers(2, 4, length - 1).tolist(), 1]))
    tensors = dict(
        zip(("input_ids", "attention_mask", "completion_mask"), batch_of(rows, width=4),
            strict=True)
    )  # fmt: skip
    tensors["ref_logps"] = draw.uniform(-6, -1, 2 * N)
    tensors["rewards"] = 3 * draw.normal(2 * N)
    return {name: tensor.unflatten(0, (-1, 2)) for name, tensor in tensors.items()}


def own_loss(method, logps, refs, rewards, beta, baseline):
    """The four losses once more, written differently from the notebook's."""
    h = logps - refs
    if method == "pg":
        coefficient = (rewards - beta * h - (baseline or 0.0)).detach()
        return -(coefficient * logps).sum() / logps.numel()
    dh, second = h[:, 0] - h[:, 1], rewards[:, 1] > rewards[:, 0]
    if method == "copg":
        dR = rewards[:, 0] - rewards[:, 1]
        return (beta / 2 * dh**2 - dR * dh).mean()
    if method == "dpo":
        return -torch.nn.functional.logsigmoid(beta * torch.where(second, -dh, dh)).mean()
    return -torch.where(second, logps[:, 1], logps[:, 0]).mean()


def own_trajectory(here, pairs, method, beta, steps, batch_size, lr, seed, baseline=None, **wrong):
    """A second training loop; `wrong` switches on a mistake."""
    optimizer = torch.optim.Adam(here.parameters(), lr, betas=wrong.get("betas", (0.9, 0.99)))
    losses = []
    for step in range(steps):
        rows = batch_rows(len(pairs["rewards"]), batch_size, step, seed)
        flat = [pairs[k][rows].flatten(0, 1) for k in
                ("input_ids", "attention_mask", "completion_mask")]  # fmt: skip
        logits = here(input_ids=flat[0], attention_mask=flat[1]).logits[:, :-1]
        picked = logits.log_softmax(-1).gather(-1, flat[0][:, 1:, None])[..., 0]
        logps = torch.where(flat[2][:, 1:] > 0, picked, 0.0).sum(1).view(-1, 2)
        refs, rewards = pairs["ref_logps"][rows], pairs["rewards"][rows]
        loss = own_loss(method, logps, refs, rewards, beta, baseline)
        if not wrong.get("accumulate"):
            optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(here.parameters(), wrong.get("clip", 1.0))
        factor = lr_factor(step + wrong.get("late", 0), steps)
        optimizer.param_groups[0]["lr"] = lr * wrong.get("factor", factor)
        optimizer.step()
        losses.append(float(loss.detach()))
    return {k: v.detach().clone() for k, v in here.state_dict().items()}, losses


def fresh(config, state):
    """The table once more."""
    here = TabularLM(**config)
    here.load_state_dict(state)
    return here


def trained(got, text: str):
    """The parts of a checkpoint, or a failure with a fixed text."""
    good = isinstance(got, dict) and set(got) == {"step", "model", "optimizer", "losses"}
    expect(good).true(good, f"A checkpoint has the keys step, model, optimizer and losses. {text}")
    return got


CLIPPED = 1e-5  # clip_grad_norm_ adds 1e-6 to the norm; who clips by hand need not
CONFIG = {"vocab_size": 4, "context": 4}
ROWS = 341  # prefixes of at most four of four tokens
MISTAKES = {
    "The gradients were not clipped to norm 1.": {"clip": 1e9},
    "The learning rate stays the same: use lr * lr_factor(step, steps).": {"factor": 1.0},
    "The learning rate is that of the next step.": {"late": 1},
    "The gradients of earlier steps were not zeroed.": {"accumulate": True},
    "Adam's betas are (0.9, 0.99) here.": {"betas": (0.9, 0.999)},
}


@exercise("train_offline", weight=2)
def test_the_weights_follow_the_prescribed_steps(student: Student, draw: Draw):
    """Fifteen steps of SFT on free logits, against a second loop; large and small gradients."""
    pairs = tiny_data(draw, 10)
    # Token 0, never seen in the data, starts far ahead: the first gradients are longer than 1.
    state = {"table": 2 * draw.normal(ROWS, 4) + torch.tensor([6.0, 0.0, 0.0, 0.0])}
    options = {"steps": 15, "batch_size": 4, "lr": 0.3, "seed": draw.integer(1, 1000)}
    args = (pairs, "sft", 0.5)
    want, losses = own_trajectory(fresh(CONFIG, state), *args, **options)
    mistakes = {
        text: own_trajectory(fresh(CONFIG, state), *args, **options, **wrong)[0]
        for text, wrong in MISTAKES.items()
    }
    crossing = model("sft2rl.models.TabularLM", CONFIG, state)
    text = "Rows, log-probabilities, loss, zeroed gradients, clipping, learning rate, step."
    got = trained(student.train_offline(crossing, *args, **options), text)
    expect(got["model"]).close(want, text, mistakes=mistakes, rtol=CLIPPED)
    expect(got["losses"]).close(losses, "losses holds one Python float per step.", rtol=CLIPPED)
    expect(got["step"]).equals(15, "step is the number of steps that were done.")


def check_method(student: Student, draw: Draw, method: str, beta: float, baseline, mistakes, text):
    """Eight steps of one method, against the second loop."""
    pairs = tiny_data(draw, 9)
    state = {"table": draw.normal(ROWS, 4)}
    options = {"steps": 8, "batch_size": 4, "lr": 0.2, "seed": draw.integer(1, 1000)}

    def weights(**changed):
        call = {"method": method, "beta": beta, "baseline": baseline, **changed}
        return own_trajectory(fresh(CONFIG, state), pairs, **call, **options)

    want, losses = weights()
    crossing = model("sft2rl.models.TabularLM", CONFIG, state)
    more = {} if baseline is None else {"baseline": baseline}
    got = trained(student.train_offline(crossing, pairs, method, beta, **options, **more), text)
    wrong = {sentence: weights(**changed)[0] for sentence, changed in mistakes.items()}
    expect(got["model"]).close(want, text, mistakes=wrong, rtol=CLIPPED)
    expect(got["losses"]).close(losses, "losses holds the loss of every step.", rtol=CLIPPED)


@exercise("train_offline")
def test_dpo_and_its_beta_reach_the_loss(student: Student, draw: Draw):
    """DPO off the reference with a beta of its own."""
    check_method(
        student, draw, "dpo", 0.3, None,
        {"beta does not reach the loss.": {"beta": 1.0},
         "The method is ignored: that is SFT.": {"method": "sft"}},
        "Hand method, beta and the stored reference log-probabilities to offline_loss.",
    )  # fmt: skip


@exercise("train_offline")
def test_policy_gradient_and_its_baseline_reach_the_loss(student: Student, draw: Draw):
    """Policy gradient with a constant baseline."""
    check_method(
        student, draw, "pg", 0.4, 1.25,
        {"The baseline does not reach the loss.": {"baseline": 0.0}},
        "Hand beta and baseline to offline_loss.",
    )  # fmt: skip


@exercise("train_offline")
def test_an_interrupted_run_ends_like_an_uninterrupted_one(student: Student, draw: Draw):
    """CoPG, stopped twice and resumed on models with other weights."""
    pairs = tiny_data(draw, 8)
    state, other = {"table": draw.normal(ROWS, 4)}, {"table": draw.normal(ROWS, 4)}
    args = (pairs, "copg", 0.35)
    options = {"steps": 14, "batch_size": 3, "lr": 0.2, "seed": draw.integer(1, 1000)}
    want, losses = own_trajectory(fresh(CONFIG, state), *args, **options)

    def call(weights, **more):
        crossing = model("sft2rl.models.TabularLM", CONFIG, weights)
        return trained(student.train_offline(crossing, *args, **options, **more), "")

    first = call(state, stop=2)
    expect(first["step"]).equals(2, "With stop=2 two steps are done, steps 0 and 1.")
    second = call(other, checkpoint=first, stop=12)
    expect(second["step"]).equals(12, "step counts from the beginning of the whole run.")
    third = call(other, checkpoint=second)
    text = (
        "Resuming must restore weights, optimiser and step: batches and learning rates follow "
        "from the step and from `steps`, and Adam from its moments."
    )
    expect(third["model"]).close(want, text, rtol=CLIPPED)
    expect(third["losses"]).close(
        losses, "losses covers the whole run, since step 0.", rtol=CLIPPED
    )
    again = call(other, checkpoint=third)
    expect(again["model"]).close(want, "A finished run has nothing left to do.", rtol=CLIPPED)
    expect(again["step"]).equals(14, "A finished run stays at its last step.")


@exercise("train_offline", weight=0.5)
def test_where_a_run_stops(student: Student, draw: Draw):
    """Stops before the first step, before the step of the checkpoint and after the last step."""
    pairs, state = tiny_data(draw, 6), {"table": draw.normal(ROWS, 4)}
    other = {"table": draw.normal(ROWS, 4)}
    args, options = (pairs, "sft", 0.5), {"steps": 3, "batch_size": 2, "lr": 0.1, "seed": 3}
    want, _ = own_trajectory(fresh(CONFIG, state), *args, **options)

    def call(weights, **more):
        crossing = model("sft2rl.models.TabularLM", CONFIG, weights)
        return trained(student.train_offline(crossing, *args, **options, **more), "")

    none = call(state, stop=0)
    text = "stop=0 returns before step 0: no step is done, and the checkpoint can be resumed."
    expect(none["step"]).equals(0, text)
    expect(none["model"]).close(state, text)
    last = call(other, checkpoint=none, stop=9)
    expect(last["step"]).equals(3, "A run ends after `steps` steps, however large `stop` is.")
    expect(last["model"]).close(want, text, rtol=CLIPPED)
    text = "A checkpoint that is further than `stop` stays where it is."
    back = call(other, checkpoint=last, stop=1)
    expect(back["step"]).equals(3, text)
    expect(back["model"]).close(want, text, rtol=CLIPPED)


@exercise("train_offline", weight=0.5)
def test_what_the_model_brings_and_what_it_keeps(student: Student, draw: Draw):
    """A model with gradients of its own; the finished run is resumed on another model."""
    task = student.new("EnumerableTask", seed=draw.integer(1, 100))
    pairs, clean, used, late = task.pairs(8, 1), task.policy(), task.policy(), task.policy()
    for policy in (clean, used, late):
        policy.eval()
    first = {name: tensor[:, 0] for name, tensor in pairs.items()}
    masks = (first["attention_mask"], first["completion_mask"])
    student.logp_gradient(used, first["input_ids"], *masks)
    args, options = (pairs, "sft", 0.5), {"steps": 2, "batch_size": 4, "lr": 0.1}
    want = trained(student.train_offline(clean, *args, **options), "")
    got = trained(student.train_offline(used, *args, **options), "")

    def finite(weights) -> list[torch.Tensor]:
        return [torch.where(each.isfinite(), each, 0.0) for each in weights.values()]

    expect(finite(got["model"])).close(
        finite(want["model"]),
        "Zero the gradients before each backward pass: the model may bring some along.",
    )
    student.train_offline(late, *args, **options, checkpoint=want)
    expect(finite(student.parameters_of(late))).close(
        finite(want["model"]), "A checkpoint replaces the weights, even where no step is left."
    )
    expect([policy.get("training") for policy in (used, late)]).equals(
        [False, False], "A model in evaluation mode stays in it, after the call as well."
    )


@exercise("train_offline")
def test_a_checkpoint_does_not_change_while_training_goes_on(student: Student, draw: Draw):
    """A run is stopped, and its model is trained further; the first checkpoint is read later."""
    task = student.new("EnumerableTask", seed=draw.integer(1, 100))
    pairs, policy = task.pairs(16, 1), task.policy()
    options = {"steps": 6, "batch_size": 4, "lr": 0.1}
    half = student.train_offline(policy, pairs, "sft", 0.5, **options, stop=3)
    kept = [each.clone() for each in trained(half, "")["model"].values()]
    now = list(student.parameters_of(policy).values())
    text = "After the call `model` has the weights of its last step, those in the checkpoint."
    finite = [torch.where(each.isfinite(), each, 0.0) for each in kept]
    expect([torch.where(each.isfinite(), each, 0.0) for each in now]).close(finite, text)
    changed = student.checkpoint_drift(policy, pairs, "sft", 0.5, 6, 4)
    expect(changed).equals(
        [False, False],
        "A checkpoint must be a copy: state dicts hold the live tensors, and loading one into an "
        "optimiser may keep the very tensors of the checkpoint.",
    )


@exercise("train_offline")
def test_dropout_stays_off(student: Student, draw: Draw):
    """A small GPT-2 with dropout, handed over in evaluation mode."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = {
        "vocab_size": 5, "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 8,
        "resid_pdrop": 0.5, "embd_pdrop": 0.5, "attn_pdrop": 0.5,
        "bos_token_id": 1, "eos_token_id": 1,
    }  # fmt: skip
    here = GPT2LMHeadModel(GPT2Config(**config)).double().eval()
    state = {
        name: tensor + 0.3 * draw.normal(*tensor.shape) if tensor.is_floating_point() else tensor
        for name, tensor in here.state_dict().items()
        if name != "lm_head.weight"
    }
    state["lm_head.weight"] = state["transformer.wte.weight"]
    here.load_state_dict(state)
    pairs = tiny_data(draw, 6)
    options = {"steps": 3, "batch_size": 3, "lr": 0.01, "seed": 5}
    want, losses = own_trajectory(here, pairs, "copg", 0.3, **options)
    crossing = model("transformers.GPT2LMHeadModel", config, state)
    got = trained(student.train_offline(crossing, pairs, "copg", 0.3, **options), "")
    text = (
        "The model stays in evaluation mode: with dropout pi / pi_ref is noise. No model.train()."
    )
    expect(got["losses"]).close(losses, text, rtol=1e-6)
    expect(got["model"]).close(want, text, rtol=1e-5)


@exercise("train_offline", weight=0.5)
def test_the_log_is_called_after_each_step(student: Student, draw: Draw):
    """A function that notes steps and losses, on a resumed run."""
    pairs, state = tiny_data(draw, 6), {"table": draw.normal(ROWS, 4)}
    seen: list = []

    def note(step, loss):
        seen.append((step, loss))

    args, options = (pairs, "sft", 0.5), {"steps": 5, "batch_size": 2, "lr": 0.1}

    def call(**more):
        crossing = model("sft2rl.models.TabularLM", CONFIG, state)
        return student.train_offline(crossing, *args, **options, **more)

    first = trained(call(stop=2), "")
    last = trained(call(checkpoint=first, log=note), "")
    text = "log is called once after every step, with the number of the step and its loss."
    expect([step for step, _ in seen]).equals([2, 3, 4], text)
    expect([loss for _, loss in seen]).close(last["losses"][2:], f"{text} Both plain numbers.")


@exercise("train_offline")
def test_copg_finds_the_optimum_of_the_listed_task(student: Student, draw: Draw):
    """The regret on fifteen completions, all of them well covered by the data."""
    task = student.new("EnumerableTask", seed=draw.choice([0, 3, 5, 6]))
    pairs, policy = task.pairs(4096, 1), task.policy()
    student.train_offline(policy, pairs, "copg", 0.5, 400, 256, lr=2e-2)
    regret = task.regret(policy)
    text = "CoPG's regret on the listed task falls below a thousandth; `model` is trained in place."
    expect(isinstance(regret, float) and regret < 1e-3).true(
        isinstance(regret, float) and regret < 1e-3, text
    )


# evaluate_policy


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

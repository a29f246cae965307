"""Section 4 of the project. The losses of DPO, policy gradient and CoPG: values and gradients."""

import itertools

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import doubles, sigmoid, softplus

# --- dpo_loss ------------------------------------------------------------------------------------


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


# --- pg_loss -------------------------------------------------------------------------------------


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


# --- copg_loss -----------------------------------------------------------------------------------


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

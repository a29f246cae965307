"""Section 6 of 13_shiq. ShiQ: residuals position by position, losses, gradients."""

import math

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import F64, first, paths, returns_of, small_mdp, soft_oracle, tensor

# --- ShiQ: bandit --------------------------------------------------------------------------------

BANDIT = "The mean of (R - beta (l - l_ref))^2 over the samples, in raw logits."


def bandit(draw, n=9):
    ref = draw.normal(4)
    logits = ref + tensor(1.2, -1.5, 0.6, -0.8) + draw.uniform(-0.3, 0.3, 4)
    action = torch.tensor([3, 0, 0, 2, 1, 3, 3, 0, 2])[:n]
    return logits, ref, action, draw.normal(n) + 1.5


@exercise("shiq_bandit_loss", weight=2)
def test_the_bandit_loss(student: Student, draw: Draw):
    """Nine samples of four arms, beta above and below 1."""
    for beta in (float(draw.uniform(0.3, 0.6)), float(draw.uniform(1.5, 2.5))):
        logits, ref, action, R = bandit(draw)
        shift = (logits - ref)[action]
        h = (logits.log_softmax(0) - ref.log_softmax(0))[action]
        expect(student.shiq_bandit_loss(logits, ref, action, R, beta)).close(
            ((R - beta * shift) ** 2).mean(), BANDIT,
            mistakes={
                "You use log-probabilities: ShiQ reads the raw logits.": (
                    (R - beta * h) ** 2
                ).mean(),
                "The reference is missing.": ((R - beta * logits[action]) ** 2).mean(),
                "beta is missing.": ((R - shift) ** 2).mean(),
                "beta multiplies the logits, not the reward.": ((beta * R - shift) ** 2).mean(),
                "Divide nothing: beta multiplies the logits.": ((R / beta - shift) ** 2).mean(),
                "Average over the samples.": ((R - beta * shift) ** 2).sum(),
                "The sign of the logits is turned round.": ((R + beta * shift) ** 2).mean(),
                "The mean is squared: square first.": (R - beta * shift).mean() ** 2,
                "There is no factor 1/2.": ((R - beta * shift) ** 2).mean() / 2,
                "The square is missing.": (R - beta * shift).abs().mean(),
            },
        )  # fmt: skip


@exercise("shiq_bandit_loss")
def test_the_gradient_of_the_bandit_loss(student: Student, draw: Draw):
    """The gradient in the logits; 0 at l_ref + R / beta."""
    logits, ref, action, R = bandit(draw)
    got = student.grad("shiq_bandit_loss", logits, ref, action, R, 0.4, wrt=(0,))
    want = torch.zeros(4, dtype=F64)
    for a, reward in zip(action.tolist(), R.tolist(), strict=True):
        want[a] += -2 * 0.4 * (reward - 0.4 * float(logits[a] - ref[a])) / 9
    expect(got.grads[0]).close(want, "Differentiate through the raw logits only. " + BANDIT)
    arms = draw.normal(4)
    zero = student.shiq_bandit_loss(ref + arms / 0.4, ref, action, arms[action], 0.4)
    expect(zero).close(
        torch.zeros((), dtype=F64), "At l_ref + R / beta the loss is 0.", rtol=1e-12, scale=1.0
    )


@exercise("shiq_bandit_loss")
def test_the_level_of_the_logits_counts(student: Student, draw: Draw):
    """A constant added to all logits; one sample; float32."""
    logits, ref, action, R = bandit(draw, 1)
    for c in (0.0, 30.0):
        expect(student.shiq_bandit_loss(logits + c, ref, action, R, 0.4)).close(
            ((R - 0.4 * (logits + c - ref)[action]) ** 2)[0],
            "ShiQ is not invariant to a constant in the logits. " + BANDIT,
        )
    got = student.shiq_bandit_loss(logits.float(), ref.float(), action, R.float(), 0.4)
    expect(got).close(((R - 0.4 * (logits - ref)[action]) ** 2)[0].float(), BANDIT)


# --- ShiQ: sequences -----------------------------------------------------------------------------

RESIDUAL = (
    "delta_t = sum over k >= t of gamma^(k - t) (r_k - beta ln(pi / pi_ref)(a_k)) "
    "- beta (v_l - v_ref)(s_t), over the real steps."
)


def sequences(draw, lengths=(5, 1, 3, 4), width=5, vocabulary=3):
    """A padded batch with finite nonsense at the padding."""
    rows = len(lengths)
    return {
        "logits": draw.normal(rows, width, vocabulary) * 1.5,
        "ref_logits": draw.normal(rows, width, vocabulary) + 0.7,
        "actions": draw.integers(0, vocabulary, rows, width),
        "rewards": draw.normal(rows, width) + 1,
        "mask": first(lengths, width),
    }


def log_sum(row, scale=1.0):
    top = max(row) / scale
    return top + math.log(sum(math.exp(x / scale - top) for x in row))


def residual_oracle(batch, beta, gamma=1.0, slip="", steps="many"):
    """[B, T] position by position in plain Python; `slip` names a typical mistake."""
    logits, ref = batch["logits"].tolist(), batch["ref_logits"].tolist()
    actions, rewards = batch["actions"].tolist(), batch["rewards"].tolist()
    width = len(actions[0])
    want = torch.zeros(len(actions), width, dtype=F64)
    for b, row in enumerate(batch["mask"].long().tolist()):
        n = sum(row)
        end = width if slip == "padding" else n

        def level(t, b=b):
            if slip == "beta inside":
                return beta * (log_sum(logits[b][t], beta) - log_sum(ref[b][t], beta))
            v_ref = 0.0 if slip == "no v_ref" else log_sum(ref[b][t])
            if slip == "no values":
                return 0.0
            return (1.0 if slip == "no beta on v" else beta) * (log_sum(logits[b][t]) - v_ref)

        def gain(t, b=b):
            a = actions[b][t]
            h = logits[b][t][a] - log_sum(logits[b][t]) - ref[b][t][a] + log_sum(ref[b][t])
            if slip == "raw logits":
                h = logits[b][t][a] - ref[b][t][a]
            if slip == "no ref":
                h = logits[b][t][a] - log_sum(logits[b][t])
            if slip == "penalty added":
                h = -h
            if slip == "no penalty":
                h = 0.0
            return rewards[b][t] - (1.0 if slip == "no beta on h" else beta) * h

        for t in range(n):
            if steps == "one":
                ended = t == n - 1
                if slip == "bootstrap":
                    ended = t == width - 1
                discount = 1.0 if slip == "no gamma" else gamma
                following = 0.0 if ended or slip == "no next" else discount * level(t + 1)
                if slip == "next sign":
                    following = -following
                want[b, t] = gain(t) + following - level(t)
                if slip == "gamma on all":
                    want[b, t] = gamma * (gain(t) + (0.0 if ended else level(t + 1))) - level(t)
            else:
                power = {"no gamma": lambda k, t: 0, "gamma^k": lambda k, t: k}.get(
                    slip, lambda k, t: k - t
                )
                start = t + 1 if slip == "behind t" else t
                stop = t + 1 if slip == "one term" else end
                want[b, t] = sum(gamma ** power(k, t) * gain(k) for k in range(start, stop))
                want[b, t] -= level(t)
            if slip == "turned":
                want[b, t] = -want[b, t]
    return want


RESIDUAL_SLIPS = {
    "no v_ref": "v_ref is missing: without rewards the residual at l_ref must be 0.",
    "no beta on v": "The beta in front of the values is missing.",
    "beta inside": "v_l is the plain logsumexp of the logits: no beta inside.",
    "no values": "The value -beta (v_l - v_ref)(s_t) is missing.",
    "raw logits": "The log-ratio is one of probabilities: normalise the logits there.",
    "no ref": "pi_ref is missing in the log-ratio.",
    "penalty added": "The log-ratio is subtracted from the reward.",
    "no penalty": "The log-ratio is missing.",
    "no beta on h": "The beta in front of the log-ratio is missing.",
    "no gamma": "gamma is missing.",
    "gamma^k": "Discount from t: gamma^(k - t), not gamma^k.",
    "behind t": "The sum starts at k = t.",
    "one term": "This is one step only, without the next value: sum over k >= t.",
    "padding": "The padding leaks into the sum.",
    "turned": "The sign is turned round: return minus value.",
}


def residual_mistakes(batch, beta, gamma, slips=RESIDUAL_SLIPS, steps="many"):
    return {text: residual_oracle(batch, beta, gamma, slip, steps) for slip, text in slips.items()}


def call(student, name, batch, *scalars):
    return getattr(student, name)(*batch.values(), *scalars)


@exercise("shiq_residuals", weight=3)
def test_residuals_of_a_padded_batch(student: Student, draw: Draw):
    """Four sequences, gamma below 1, beta above and below 1, unnormalised references."""
    for beta in (float(draw.uniform(0.3, 0.6)), float(draw.uniform(1.5, 2.5))):
        batch, gamma = sequences(draw), float(draw.uniform(0.5, 0.8))
        expect(call(student, "shiq_residuals", batch, beta, gamma)).close(
            residual_oracle(batch, beta, gamma), RESIDUAL,
            residual_mistakes(batch, beta, gamma), rtol=1e-8,
        )  # fmt: skip


def solved_paths(draw, gamma, beta=0.7):
    """All paths of an MDP as a padded batch, at l_ref + q / beta; l_ref is not normalised."""
    mdp, ref_table = small_mdp(draw, 4, 3), draw.normal(4, 3) * 0.7 + 2
    q = soft_oracle(mdp, ref_table.softmax(1), beta, gamma)
    rows = [path for s in range(4) for path in paths(mdp, s)]
    width = max(map(len, rows))
    states = torch.tensor([[s for s, _ in row] + [0] * (width - len(row)) for row in rows])
    actions = torch.tensor([[a for _, a in row] + [0] * (width - len(row)) for row in rows])
    batch = {
        "logits": (ref_table + q / beta)[states],
        "ref_logits": ref_table[states],
        "actions": actions,
        "rewards": mdp["reward"][states, actions],
        "mask": first([len(row) for row in rows], width),
    }
    return batch, beta


@exercise("shiq_residuals", weight=2)
def test_all_residuals_vanish_at_the_solution(student: Student, draw: Draw):
    """Every path of a small MDP at l_ref + q / beta, for gamma = 1 (the default) and 0.9."""
    for gamma in ((), (0.9,)):
        batch, beta = solved_paths(draw, *(gamma or (1.0,)))
        got = call(student, "shiq_residuals", batch, beta, *gamma)
        expect(got).close(
            torch.zeros(batch["actions"].shape, dtype=F64),
            "At l_ref + q / beta every residual is 0, on every path. " + RESIDUAL,
            mistakes=residual_mistakes(batch, beta, *(gamma or (1.0,))),
            rtol=1e-10, scale=1.0,
        )  # fmt: skip


@exercise("shiq_residuals")
def test_nothing_to_learn_at_the_reference(student: Student, draw: Draw):
    """l = l_ref, no rewards, numbers at the padding: all residuals are 0."""
    batch = sequences(draw)
    batch["logits"] = batch["ref_logits"]
    batch["rewards"] = batch["rewards"] * ~batch["mask"] * 50
    expect(call(student, "shiq_residuals", batch, 0.6, 0.9)).close(
        torch.zeros(4, 5, dtype=F64),
        "Without rewards all residuals are 0 at l_ref: this is what v_ref is for.",
        mistakes={
            RESIDUAL_SLIPS[slip]: residual_oracle(batch, 0.6, 0.9, slip)
            for slip in ("no v_ref", "padding", "no ref", "raw logits")
        },
        rtol=1e-10, scale=1.0,
    )  # fmt: skip


def torch_residuals(batch, beta, gamma, detach="", steps="many"):
    """The residuals of a batch with a graph; `detach` names what is cut off by mistake."""
    logits, mask = batch["logits"], batch["mask"].double()
    index = batch["actions"].unsqueeze(-1)

    def cut(name, x):
        return x.detach() if detach == name else x

    h = cut("h", (logits.log_softmax(-1).gather(-1, index)
                  - batch["ref_logits"].log_softmax(-1).gather(-1, index)).squeeze(-1))  # fmt: skip
    w = beta * (logits.logsumexp(-1) - batch["ref_logits"].logsumexp(-1)) * mask
    gain = (batch["rewards"] - beta * h) * mask
    width = mask.shape[1]
    if steps == "one":
        after = torch.cat([w[:, 1:], torch.zeros_like(w[:, :1])], 1)
        return (gain + gamma * cut("next", after) - cut("v", w)) * mask
    power = torch.arange(width)[None, :] - torch.arange(width)[:, None]
    matrix = torch.where(power >= 0, gamma ** power.clamp(min=0).double(), 0.0)
    return (gain @ matrix.T - cut("v", w)) * mask


def gradients_of(make, batch, cotangent=None):
    """Gradient in the logits of make(batch), weighted by the cotangent."""
    leaf = batch["logits"].clone().requires_grad_()
    value = make(batch | {"logits": leaf})
    scalar = value if cotangent is None else (value * cotangent).sum()
    return torch.autograd.grad(scalar, leaf)[0]


CUTS = {
    "v": "The value of s_t is detached: nothing is.",
    "h": "The log-ratio is detached: nothing is.",
    "next": "The value of the next state is detached (a target network): nothing is.",
}


@exercise("shiq_residuals", weight=2)
def test_nothing_is_detached_in_the_residuals(student: Student, draw: Draw):
    """The gradient of a weighted sum of the residuals in the logits."""
    batch, weights = sequences(draw), draw.normal(4, 5)
    got = student.grad("shiq_residuals", *batch.values(), 0.5, 0.8, wrt=(0,), cotangent=weights)
    expect(got.grads[0]).close(
        gradients_of(lambda x: torch_residuals(x, 0.5, 0.8), batch, weights),
        "Both the log-ratios and the values learn. " + RESIDUAL,
        mistakes={
            CUTS[name]: gradients_of(lambda x, name=name: torch_residuals(x, 0.5, 0.8, name),
                                     batch, weights)
            for name in ("v", "h")
        },
    )  # fmt: skip


@exercise("shiq_residuals")
def test_residuals_in_other_shapes_and_types(student: Student, draw: Draw):
    """One step, two actions; integer and floating masks; float32."""
    small = sequences(draw, (1,), 1, 2)
    expect(call(student, "shiq_residuals", small, 0.5)).close(
        residual_oracle(small, 0.5), RESIDUAL, rtol=1e-8
    )
    batch = sequences(draw, (2, 4), 4, 6)
    want = residual_oracle(batch, 0.5, 0.7)
    for kind in (torch.int64, torch.float32):
        got = call(student, "shiq_residuals", batch | {"mask": batch["mask"].to(kind)}, 0.5, 0.7)
        expect(got).close(want, "The mask may be integer or floating. " + RESIDUAL, rtol=1e-8)
    single = {name: x.float() if x.is_floating_point() else x for name, x in batch.items()}
    expect(call(student, "shiq_residuals", single, 0.5, 0.7)).close(
        want.float(), "The result has the dtype of the logits.", rtol=1e-4
    )


@exercise("shiq_residuals")
def test_residuals_of_large_logits(student: Student, draw: Draw):
    """Logits around 2000 and -2000, log-ratios of hundreds; one row without any step."""
    batch = sequences(draw, (3, 0, 2), 3)
    batch["logits"] = 200 * batch["logits"] + 2000
    batch["ref_logits"] = 200 * batch["ref_logits"] - 2000
    expect(call(student, "shiq_residuals", batch, 0.5, 0.9)).close(
        residual_oracle(batch, 0.5, 0.9),
        "Logits of any size: logsumexp and log_softmax do not overflow, and nothing is capped.",
        rtol=1e-8,
    )


# --- shiq_loss -----------------------------------------------------------------------------------

LOSS = "The sum of delta_t^2 over the real steps of a sequence, averaged over the sequences."


def losses_of(delta, mask):
    """The right reduction and typical wrong ones."""
    square, count = delta**2, mask.double().sum()
    per_row = square.sum(1)
    return per_row.mean(), {
        "The square is inside the sum over t, not outside (the slide's bracket).": (
            (delta.sum(1) ** 2).mean()
        ),
        "Sum over t: this is the mean over all positions.": square.mean(),
        "Sum over t: this is the mean over the real steps.": square.sum() / count,
        "Sum over t: this is the mean within each sequence.": (
            per_row / mask.double().sum(1)
        ).mean(),
        "Average over the sequences.": square.sum(),
        "The square is missing.": delta.sum(1).mean(),
        "Square, do not take the absolute value.": delta.abs().sum(1).mean(),
        "There is no factor 1/2.": per_row.mean() / 2,
        "Only the first residual counts here: sum over t.": (delta[:, 0] ** 2).mean(),
        "Do not take the root.": per_row.sqrt().mean(),
    }


@exercise("shiq_loss", weight=2)
def test_the_loss_of_a_padded_batch(student: Student, draw: Draw):
    """Four sequences of different lengths, gamma below 1 and by default."""
    batch = sequences(draw)
    for gamma in ((float(draw.uniform(0.5, 0.8)),), ()):
        discount = gamma or (1.0,)
        want, mistakes = losses_of(residual_oracle(batch, 0.6, *discount), batch["mask"])
        one_step = residual_oracle(batch, 0.6, *discount, steps="one")
        mistakes["These are the one-step residuals."] = losses_of(one_step, batch["mask"])[0]
        if gamma:
            other = residual_oracle(batch, 0.6, 1.0)
            mistakes["gamma is not passed on."] = losses_of(other, batch["mask"])[0]
        other = residual_oracle(batch, 1.0, *discount)
        mistakes["beta is not passed on."] = losses_of(other, batch["mask"])[0]
        expect(call(student, "shiq_loss", batch, 0.6, *gamma)).close(
            want, LOSS + " gamma is 1 by default.", mistakes, rtol=1e-8
        )


@exercise("shiq_loss", weight=2)
def test_nothing_is_detached_in_the_loss(student: Student, draw: Draw):
    """The gradient of the loss in the logits."""
    batch = sequences(draw)

    def loss(detach=""):
        return lambda x: (torch_residuals(x, 0.6, 0.8, detach) ** 2).sum(1).mean()

    got = student.grad("shiq_loss", *batch.values(), 0.6, 0.8, wrt=(0,))
    expect(got.grads[0]).close(
        gradients_of(loss(), batch), "The gradient flows through all of delta. " + LOSS,
        mistakes={CUTS[name]: gradients_of(loss(name), batch) for name in ("v", "h")},
    )  # fmt: skip


@exercise("shiq_loss")
def test_the_loss_of_one_sequence_and_of_a_solved_problem(student: Student, draw: Draw):
    """A batch of one row with padding; a row without any step; 0 at l_ref + q / beta."""
    one = sequences(draw, (2,), 4, 5)
    one["mask"] = one["mask"].long()
    want, mistakes = losses_of(residual_oracle(one, 1.5, 0.9), one["mask"])
    expect(call(student, "shiq_loss", one, 1.5, 0.9)).close(want, LOSS, mistakes, rtol=1e-8)
    ragged = sequences(draw, (2, 0, 3), 3)
    expect(call(student, "shiq_loss", ragged, 0.7)).close(
        (residual_oracle(ragged, 0.7) ** 2).sum() / 3,
        "A sequence without any step adds 0 and is one of the sequences. " + LOSS,
        rtol=1e-8,
    )
    batch, beta = solved_paths(draw, 1.0)
    expect(call(student, "shiq_loss", batch, beta)).close(
        torch.zeros((), dtype=F64), "At l_ref + q / beta the loss is 0.", rtol=1e-15, scale=1.0
    )


# --- shiq_one_step_residuals ---------------------------------------------------------------------

ONE_STEP = (
    "r_t - beta ln(pi / pi_ref)(a_t) + gamma w(s_{t+1}) - w(s_t), w = beta (v_l - v_ref), without "
    "the third term at the last real step."
)

ONE_SLIPS = {
    "bootstrap": "There is no next state behind the last real step, even if padding follows.",
    "no next": "The value of the next state is missing.",
    "next sign": "The value of the next state is added.",
    "gamma on all": "gamma multiplies the next value only.",
} | {
    slip: RESIDUAL_SLIPS[slip]
    for slip in (
        "no gamma", "no v_ref", "no beta on v", "beta inside", "no values", "raw logits", "no ref",
        "penalty added", "no beta on h", "turned",
    )
}  # fmt: skip


@exercise("shiq_one_step_residuals", weight=2)
def test_one_step_residuals_of_a_padded_batch(student: Student, draw: Draw):
    """Four sequences, gamma below 1 and by default, numbers at the padding."""
    batch, beta = sequences(draw), float(draw.uniform(0.3, 0.6))
    for gamma in ((float(draw.uniform(0.5, 0.8)),), ()):
        discount = gamma or (1.0,)
        mistakes = residual_mistakes(batch, beta, *discount, ONE_SLIPS, "one")
        many = residual_oracle(batch, beta, *discount)
        mistakes["These are the multi-step residuals."] = many
        expect(call(student, "shiq_one_step_residuals", batch, beta, *gamma)).close(
            residual_oracle(batch, beta, *discount, steps="one"), ONE_STEP, mistakes, rtol=1e-8
        )


@exercise("shiq_one_step_residuals")
def test_they_vanish_at_the_solution_and_telescope(student: Student, draw: Draw):
    """Every path of a small MDP at l_ref + q / beta, gamma 0.9; sums give the multi-step ones."""
    batch, beta = solved_paths(draw, 0.9)
    expect(call(student, "shiq_one_step_residuals", batch, beta, 0.9)).close(
        torch.zeros(batch["actions"].shape, dtype=F64),
        "At l_ref + q / beta every one-step residual is 0. " + ONE_STEP,
        mistakes=residual_mistakes(batch, beta, 0.9, ONE_SLIPS, "one"), rtol=1e-10, scale=1.0,
    )  # fmt: skip
    lengths = (4, 2, 3)
    other = sequences(draw, lengths, 4, 5)
    other["mask"] = other["mask"].long()
    got = call(student, "shiq_one_step_residuals", other, 1.7, 0.6)
    got = expect(got).tensor((3, 4), F64, "One residual per position, in the dtype of the logits.")
    expect(returns_of(got, lengths, 0.6)).close(
        residual_oracle(other, 1.7, 0.6),
        "Their discounted sums must be the multi-step residuals. " + ONE_STEP, rtol=1e-8,
    )  # fmt: skip


@exercise("shiq_one_step_residuals", weight=2)
def test_nothing_is_detached_in_the_one_step_residuals(student: Student, draw: Draw):
    """The gradient of a weighted sum of the residuals in the logits."""
    batch, weights = sequences(draw), draw.normal(4, 5)

    def make(detach=""):
        return lambda x: torch_residuals(x, 0.5, 0.8, detach, "one")

    got = student.grad(
        "shiq_one_step_residuals", *batch.values(), 0.5, 0.8, wrt=(0,), cotangent=weights
    )
    expect(got.grads[0]).close(
        gradients_of(make(), batch, weights), "Nothing is detached. " + ONE_STEP,
        mistakes={
            CUTS[name]: gradients_of(make(name), batch, weights) for name in ("next", "v", "h")
        },
    )  # fmt: skip


@exercise("shiq_one_step_residuals")
def test_one_step_residuals_of_single_steps(student: Student, draw: Draw):
    """Episodes of one step, with and without padding; float32."""
    batch = sequences(draw, (1, 1), 1, 2)
    want = residual_oracle(batch, 0.5, 0.7)
    expect(call(student, "shiq_one_step_residuals", batch, 0.5, 0.7)).close(
        want, "An episode of one step is the bandit: no next value. " + ONE_STEP, rtol=1e-8
    )
    padded = sequences(draw, (1, 2), 3, 2)
    single = {name: x.float() if x.is_floating_point() else x for name, x in padded.items()}
    expect(call(student, "shiq_one_step_residuals", single, 0.5, 0.7)).close(
        residual_oracle(padded, 0.5, 0.7, steps="one").float(),
        "The result has the dtype of the logits. " + ONE_STEP, rtol=1e-4,
    )  # fmt: skip

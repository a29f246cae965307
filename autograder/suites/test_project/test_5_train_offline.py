"""Section 5 of the project. The training loop against a second loop, written here."""

import torch

from autograder.suite import Draw, Student, exercise, expect, model
from sft2rl.models import TabularLM
from sft2rl.schedule import batch_rows, lr_factor

from .oracles import batch_of

# --- train_offline -------------------------------------------------------------------------------


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
    student.train_offline(policy, pairs, "copg", 0.5, 120, 16, lr=0.1)
    regret = task.regret(policy)
    text = "CoPG's regret on the listed task falls below a thousandth; `model` is trained in place."
    expect(isinstance(regret, float) and regret < 1e-3).true(
        isinstance(regret, float) and regret < 1e-3, text
    )

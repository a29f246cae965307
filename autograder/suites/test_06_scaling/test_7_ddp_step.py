"""Section 7 of 06_scaling. One step of data-parallel training."""

import torch

from autograder.suite import Draw, Student, exercise, expect
from sft2rl.parallel import TinyLM, loss_sum

from .oracles import near

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

"""Section 3 of 13_shiq. Whose tokens, and whose rewards."""

import math

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import INF

# --- turn_mask -----------------------------------------------------------------------------------

MINE = "1 on every token of an assistant turn, its end-of-turn token included; 0 elsewhere."


@exercise("turn_mask", weight=2)
def test_only_assistant_turns_are_marked(student: Student, draw: Draw):
    """Keyed lengths; all turns end with the same token; two assistant turns in a row."""
    roles = ["system", "user", "assistant", "tool", "assistant", "assistant", "user"]
    lengths = [draw.integer(2, 6) for _ in roles]
    turns = [[*draw.integers(1, 50, n - 1).tolist(), 0] for n in lengths]

    def flat(mark):
        return torch.tensor([m for k, n in enumerate(lengths) for m in mark(k, n)])

    mine = [role == "assistant" for role in roles]
    expect(student.turn_mask(roles, turns)).equals(
        flat(lambda k, n: [int(mine[k])] * n), MINE,
        mistakes={
            "The end-of-turn token of an assistant turn is an action too.": flat(
                lambda k, n: [int(mine[k])] * (n - 1) + [0]
            ),
            "The end-of-turn tokens of others are not the policy's.": flat(
                lambda k, n: [int(mine[k])] * (n - 1) + [1]
            ),
            "Only the last assistant turn is marked.": flat(lambda k, n: [int(k == 5)] * n),
            "Everything but the user is marked: system and tool are not the policy.": flat(
                lambda k, n: [int(roles[k] != "user")] * n
            ),
            "Tool results are not the policy's.": flat(
                lambda k, n: [int(roles[k] in ("assistant", "tool"))] * n
            ),
            "The mask is the wrong way round.": flat(lambda k, n: [int(not mine[k])] * n),
            "The first token of a turn belongs to it.": flat(
                lambda k, n: [0] + [int(mine[k])] * (n - 1)
            ),
        },
    )  # fmt: skip


@exercise("turn_mask")
def test_empty_turns_and_empty_conversations(student: Student, draw: Draw):
    """An empty turn has no token, a conversation without turns none at all; unusual names."""
    a, b = draw.integer(1, 9), draw.integer(1, 9)
    got = student.turn_mask(["assistant", "user", "assistant", "user"], [[a], [], [], [a, b]])
    expect(got).equals(torch.tensor([1, 0, 0]), MINE)
    roles = ["developer", "assistant", "critic", "assistant 2", "function", ""]
    expect(student.turn_mask(roles, [[a], [b], [a], [b], [a], [b]])).equals(
        torch.tensor([0, 1, 0, 0, 0, 0]), 'Only "assistant" is the policy, any other name is not.'
    )
    empty = torch.zeros(0, dtype=torch.int64)
    message = "Without tokens the mask is an int64 tensor of shape [0]."
    expect(student.turn_mask([], [])).equals(empty, message)
    expect(student.turn_mask(["user"], [[]])).equals(empty, message)


@exercise("turn_mask")
def test_each_turn_has_a_role(student: Student, draw: Draw):
    """More turns than roles, and more roles than turns."""
    for roles, turns in ((["user"], [[1], [2]]), (["user", "assistant"], [[1]])):
        raised = student.raised("turn_mask", roles, turns)
        expect(raised).equals("ValueError", "Raise ValueError when the two lists differ in length.")


# --- multi_turn_return ---------------------------------------------------------------------------

TURNS = "Sum the rewards of the tokens with turns == k for each k, and sum over the turns."


def per_turn(rewards, turns, number):
    """The definition, token by token."""
    want = torch.zeros(len(rewards), number, dtype=rewards.dtype)
    for b in range(rewards.shape[0]):
        for t in range(rewards.shape[1]):
            if turns[b, t] >= 0:
                want[b, turns[b, t]] += rewards[b, t]
    return want


def expect_turns(got, want, mistakes=None):
    both = {text: (value, value.sum(1)) for text, value in (mistakes or {}).items()}
    expect(got).true(
        isinstance(got, tuple | list) and len(got) == 2, "Return two tensors: (per_turn, total)."
    )
    totals = {
        "The total counts the last turn only.": (want, want[:, -1]),
        "The total is the average over the turns.": (want, want.mean(1)),
    }
    expect(got).close((want, want.sum(1)), TURNS, both | totals, scale=1.0)


@exercise("multi_turn_return", weight=2)
def test_rewards_per_turn_and_in_total(student: Student, draw: Draw):
    """Three conversations of three, two and one turns, rewards everywhere."""
    turns = torch.tensor([
        [-1, 0, 0, -1, 1, 1, 1, -1, 2],
        [-1, -1, 0, 1, 1, -1, -1, -1, -1],
        [0, 0, -1, 0, 0, -1, -1, -1, -1],
    ])  # fmt: skip
    rewards = draw.normal(3, 9) + 2
    want = per_turn(rewards, turns, 3)
    wrapped = want.clone()
    wrapped[:, -1] += (rewards * (turns < 0)).sum(1)
    shifted = per_turn(rewards, turns.clamp(min=0), 3)
    count = per_turn(torch.ones_like(rewards), turns, 3).clamp(min=1)
    last = want.clone()
    for b in range(3):
        for k in range(3):
            own = (turns[b] == k).nonzero()
            last[b, k] = rewards[b, int(own[-1])] if len(own) else 0.0
    expect_turns(
        student.multi_turn_return(rewards, turns, 3),
        want,
        {
            "-1 is no turn; as an index it is the last one.": wrapped,
            "Tokens of others were counted in turn 0.": shifted,
            "Rewards within a turn are averaged: sum them.": want / count,
            "Only the last token of each turn was counted.": last,
        },
    )


@exercise("multi_turn_return")
def test_more_columns_than_turns(student: Student, draw: Draw):
    """K larger than any turn, a batch of one, and a conversation that is all padding."""
    rewards = draw.normal(2, 4)
    turns = torch.tensor([[-1, 0, 0, -1], [-1, -1, -1, -1]])
    expect_turns(student.multi_turn_return(rewards, turns, 4), per_turn(rewards, turns, 4))
    expect_turns(
        student.multi_turn_return(rewards[:1], turns[:1], 1), per_turn(rewards[:1], turns[:1], 1)
    )


@exercise("multi_turn_return")
def test_what_others_earn_does_not_matter(student: Student, draw: Draw):
    """nan and infinity at tokens that are not the policy's; float32."""
    turns = torch.tensor([[-1, 1, 0, -1], [0, -1, 1, -1]])
    rewards = draw.normal(2, 4, dtype=torch.float32)
    want = per_turn(rewards, turns, 2)
    for bad in (math.nan, INF):
        filled = torch.where(turns >= 0, rewards, bad)
        expect(student.multi_turn_return(filled, turns, 2)).close(
            (want, want.sum(1)),
            "What stands at tokens of others, nan included, must not matter; keep the dtype.",
        )

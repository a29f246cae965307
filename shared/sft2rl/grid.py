"""The 5x5 grid of the lecture: its map, its two reward settings, and walks of other people.

A cell is numbered 5 * row + col from 0, so the start, (1, 1) of the slides, is cell 0. A *place* is
a cell, and in the fine-grained setting also a flag: 25 is added once the first reward was taken.
"""

from __future__ import annotations

import torch

SIZE, HORIZON, START = 5, 12, 0
ACTIONS = ("up", "down", "left", "right")
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))  # change of (row, col)
KINDS = ("final", "fine")

# Who walked: half of the walks are aimless, half drift to the right and down.
WALKERS = ((0.25, 0.25, 0.25, 0.25), (0.1, 0.4, 0.1, 0.4))


def cell(row: int, col: int) -> int:
    """Number of a cell from the slides' coordinates, which start at 1."""
    return SIZE * (row - 1) + col - 1


def places(kind: str) -> dict[str, torch.Tensor]:
    """What each action does in each place, without a clock.

    Args:
        kind: "final": +7 on entering (5, 5), which ends the walk. "fine": +3 on entering (2, 4) for
            the first time, +4 on entering (3, 5), which ends the walk.

    Returns:
        "next_place" [P, 4] long, "reward" [P, 4] float64 and "done" [P, 4] bool, with P = 25 or 50.
        Actions are up, down, left, right; a step off the grid stays where it is.

    Raises:
        ValueError: if `kind` is neither.
    """
    if kind not in KINDS:
        raise ValueError(f'kind is "final" or "fine", not {kind!r}')
    cells, fine = SIZE * SIZE, kind == "fine"
    goal, prize = (cell(3, 5), 4.0) if fine else (cell(5, 5), 7.0)
    number = cells * (1 + fine)
    next_place = torch.zeros(number, 4, dtype=torch.long)
    reward = torch.zeros(number, 4, dtype=torch.float64)
    done = torch.zeros(number, 4, dtype=torch.bool)
    for place in range(number):
        taken, here = divmod(place, cells)
        row, col = divmod(here, SIZE)
        for action, (down, right) in enumerate(MOVES):
            new_row = min(max(row + down, 0), SIZE - 1)
            new = SIZE * new_row + min(max(col + right, 0), SIZE - 1)
            entered = new != here
            first = fine and not taken and entered and new == cell(2, 4)
            done[place, action] = entered and new == goal
            reward[place, action] = prize * (entered and new == goal) + 3.0 * first
            next_place[place, action] = new + cells * (taken or first)
    return {"next_place": next_place, "reward": reward, "done": done}


def walks(kind: str, seed: int, n: int = 1000) -> dict[str, torch.Tensor]:
    """Draw n walks once and for all, in two halves: walk i is paired with walk i + n / 2.

    Args:
        kind: "final" or "fine".
        seed: of the walks and of the labels.
        n: how many, an even number.

    Returns:
        "states" [n, 12] long: P * t + place before each step; "actions" [n, 12] long; "rewards"
        [n, 12] float64; "mask" [n, 12] bool, False after the end of the walk; "first_wins" [n / 2]
        bool: does walk i win against its partner? Drawn from Bradley-Terry on the two returns.
        At padding, states, actions and rewards are 0.
    """
    world = places(kind)
    generator = torch.Generator().manual_seed(seed)
    habits = torch.tensor(WALKERS, dtype=torch.float64).repeat(n // 2, 1)
    place = torch.full((n,), START)
    alive = torch.ones(n, dtype=torch.bool)
    columns = []
    for t in range(HORIZON):
        action = torch.multinomial(habits, 1, generator=generator)[:, 0] * alive
        reward = world["reward"][place, action] * alive
        columns.append(((len(world["done"]) * t + place) * alive, action, reward, alive))
        alive = alive & ~world["done"][place, action]
        place = world["next_place"][place, action]
    states, actions, rewards, mask = (torch.stack(x, 1) for x in zip(*columns, strict=True))
    total = rewards.sum(1)
    coin = torch.rand(n // 2, generator=generator, dtype=torch.float64)
    first_wins = coin < torch.sigmoid(total[: n // 2] - total[n // 2 :])
    return {
        "states": states,
        "actions": actions,
        "rewards": rewards,
        "mask": mask,
        "first_wins": first_wins,
    }

"""The lecture's grid: map, rewards, and the walks that were drawn on it."""

import pytest
import torch

from sft2rl import grid


def go(kind: str, place: int, action: str) -> tuple[int, float, bool]:
    """Where one move leads, what it pays, and whether it ends the walk."""
    world, a = grid.places(kind), grid.ACTIONS.index(action)
    return tuple(world[name][place, a].item() for name in ("next_place", "reward", "done"))


def test_walls_and_the_final_reward():
    assert go("final", grid.START, "up") == (grid.START, 0.0, False)
    assert go("final", grid.START, "right") == (1, 0.0, False)
    assert go("final", grid.cell(4, 5), "down") == (grid.cell(5, 5), 7.0, True)
    assert go("final", grid.cell(5, 5), "down") == (grid.cell(5, 5), 0.0, False)


def test_the_first_prize_is_paid_once():
    prize = grid.cell(2, 4)
    assert go("fine", grid.cell(2, 3), "right") == (25 + prize, 3.0, False)
    assert go("fine", 25 + grid.cell(2, 3), "right") == (25 + prize, 0.0, False)
    assert go("fine", grid.cell(2, 5), "down") == (grid.cell(3, 5), 4.0, True)
    assert go("fine", 25 + grid.cell(3, 4), "right") == (25 + grid.cell(3, 5), 4.0, True)


@pytest.mark.parametrize("kind", grid.KINDS)
def test_walks_follow_the_map(kind):
    walks, world = grid.walks(kind, seed=3, n=40), grid.places(kind)
    number = len(world["done"])
    for states, actions, rewards, mask in zip(
        *(walks[name] for name in ("states", "actions", "rewards", "mask")), strict=True
    ):
        place = grid.START
        for t in range(int(mask.sum())):
            assert states[t] == number * t + place
            assert rewards[t] == world["reward"][place, actions[t]]
            ended = bool(world["done"][place, actions[t]])
            assert ended == (t == int(mask.sum()) - 1 < grid.HORIZON - 1) or t == grid.HORIZON - 1
            place = int(world["next_place"][place, actions[t]])
        assert not rewards[~mask].any()
        assert not mask[int(mask.sum()) :].any()


def test_walks_are_drawn_once_and_for_all():
    first, again, other = (grid.walks("fine", seed, n=40) for seed in (5, 5, 6))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["actions"], other["actions"])
    assert first["first_wins"].shape == (20,)


def test_an_unknown_setting_is_refused():
    with pytest.raises(ValueError, match="spiral"):
        grid.places("spiral")

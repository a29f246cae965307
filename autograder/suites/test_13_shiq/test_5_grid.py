"""Section 5 of 13_shiq. The lecture's grid, solved once more."""

import torch

from autograder.suite import Draw, Student, exercise, expect
from sft2rl import grid

from .oracles import F64, best_value, solve_grid

GRID = "State P t + place, the twelfth move ends the episode: then solve with a uniform reference."


def place_of(kind, row, col, flag):
    return 25 * flag + 5 * (row - 1) + col - 1


def three_parts(got):
    shaped = isinstance(got, tuple | list) and len(got) == 3 and isinstance(got[0], dict)
    expect(got).true(shaped, "Return three things: (mdp, pi, value), mdp a dict.")
    return got


def check_optimum(student, kind, beta, arguments):
    table = solve_grid(kind, beta)
    _, pi, value = three_parts(student.grid_soft_optimum(*arguments))
    expect(value).close(
        table[0, 1, 1, 0][0], "value is J(pi_*), the soft value of the start. " + GRID,
        mistakes={
            "Is there no clock in your MDP, or is this the hard maximum?": 7.0,
            "The episode has twelve moves, and the twelfth is paid: this is the value of eleven.": (
                best_value(kind, beta, horizon=11)
            ),
            "The episode has twelve moves, yours thirteen.": best_value(kind, beta, horizon=13),
            "beta is not used.": best_value(kind, 1.0) if beta != 1 else -1.0,
            "Rewards are paid on entering, not on leaving.": best_value(kind, beta, slip="leaving"),
            "The +3 is paid once: use the flag.": (
                best_value(kind, beta, slip="again") if kind == "fine" else -1.0
            ),
            "pi_ref is missing: the reference is uniform.": best_value(kind, beta, slip="no ref"),
        },
        rtol=1e-8,
    )  # fmt: skip
    number = 12 * (25 if kind == "final" else 50)
    pi = expect(pi).tensor((number, 4), F64, "pi is [12 P, 4], float64.")
    keys = sorted(table)
    rows = [number // 12 * t + place_of(kind, row, col, flag) for t, row, col, flag in keys]
    want = torch.tensor([table[key][1] for key in keys], dtype=F64) / beta
    expect(pi[rows]).close(
        want.softmax(1),
        "The policy of a place changes with the time left. pi(a|s) ~ pi_ref exp(q / beta). " + GRID,
        mistakes={"The clock runs backwards: t counts the moves made.": torch.zeros(0, dtype=F64)},
        rtol=1e-8,
    )


@exercise("grid_soft_optimum", weight=2)
def test_the_final_reward_grid(student: Student, draw: Draw):
    """Value and policy in every place that can be reached, beta = 1 by default."""
    check_optimum(student, "final", 1.0, ("final",))


@exercise("grid_soft_optimum", weight=2)
def test_the_fine_grained_grid(student: Student, draw: Draw):
    """Value and policy in every place that can be reached, beta = 1 by default."""
    check_optimum(student, "fine", 1.0, ("fine",))


@exercise("grid_soft_optimum")
def test_other_leashes(student: Student, draw: Draw):
    """beta below and above 1."""
    for kind, beta in (("final", draw.uniform(0.3, 0.6)), ("fine", draw.uniform(1.5, 2.5))):
        check_optimum(student, kind, float(beta), (kind, float(beta)))


@exercise("grid_soft_optimum", weight=2)
def test_the_tables_with_a_clock(student: Student, draw: Draw):
    """reward, done and next_state of every state; next_state only where the episode goes on."""
    for kind in ("final", "fine"):
        mdp, _, _ = three_parts(student.grid_soft_optimum(kind))
        expect(set(mdp)).equals(
            {"reward", "next_state", "done"}, "mdp has the keys reward, next_state and done."
        )
        world = grid.places(kind)
        number = len(world["done"])
        done = world["done"].repeat(12, 1)
        done[-number:] = True
        following = torch.cat([world["next_place"] + number * (t + 1) for t in range(12)])
        expect(mdp["done"]).equals(done, "done: a goal was entered, or this was the twelfth move.")
        expect(mdp["reward"]).close(
            world["reward"].repeat(12, 1), "The reward of a move does not depend on the time."
        )
        got = expect(mdp["next_state"]).tensor(
            (12 * number, 4), torch.int64, "next_state is [12 P, 4], int64."
        )
        expect(got[~done]).equals(
            following[~done], "From P t + place a move leads to P (t + 1) + its next place."
        )
        valid = bool(((got >= 0) & (got < 12 * number)).all())
        expect(got).true(valid, "next_state is a valid state number everywhere, also where done.")
    raised = student.raised("grid_soft_optimum", draw.word())
    expect(raised).equals("ValueError", "An unknown kind raises ValueError.")

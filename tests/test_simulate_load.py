"""The simulation of a deadline, against cases with a known answer."""

import importlib.util
import random
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location(
    "simulate_load", Path(__file__).parents[1] / "tools" / "simulate_load.py"
)
load = importlib.util.module_from_spec(SPEC)
__import__("sys").modules["simulate_load"] = load
SPEC.loader.exec_module(load)


def test_three_at_once_for_two_servers() -> None:
    assert load.serve([0, 0, 0], [1, 1, 1], 2) == ([1, 1, 2], 1)


def test_one_server_waits_as_long_as_queueing_theory_says() -> None:
    chance, count, busy = random.Random(1), 200_000, 0.7
    arrivals, now = [], 0.0
    for _ in range(count):
        now += chance.expovariate(busy)
        arrivals.append(now)
    _, waited = load.serve(arrivals, [1.0] * count, 1)
    assert waited / count == pytest.approx(busy / (2 * (1 - busy)), rel=0.03)  # M/D/1


def test_a_slow_writer_cannot_be_helped_by_workers() -> None:
    costs = load.Costs(score=1.0, write=5.0)
    one, many = (load.simulate(costs, 3000, workers) for workers in (2, 64))
    assert many.waited_for == "writer" and many.late == pytest.approx(one.late, rel=0.05)


def test_costs_come_from_the_benchmark() -> None:
    sides = [
        {"side": "course score", "cpu": 1.0, "own": None},
        {"side": "course grade, 1 worker", "cpu": 1.75, "own": 0.75},
    ]
    assert load.costs_of({"assignments": [{"sides": sides}]}) == load.Costs(1.0, 0.75)

"""`course bench grading`, on a tiny class."""

import contextlib
from itertools import islice
from pathlib import Path

import pytest
from tiny_class import Class

from autograder import bench_grading
from autograder.config import assignments
from autograder.local import failures, run_cells
from autograder.scoring import with_suite
from autograder.submission import graded_cells

WRONG = '''"""Squares.

message: square
"""
def double(x):
    return x * x
'''


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Class:
    group = Class(tmp_path_factory.mktemp("bench") / "tiny")
    folder = group.assignment.zoo / "double"
    folder.mkdir(parents=True)
    (folder / "mutant_squares.py").write_text(WRONG)
    return group


def test_the_class_is_varied_and_always_the_same(group: Class) -> None:
    def first() -> list[str]:
        found = bench_grading.submissions(group.assignment)
        return [next(cell.source for cell in next(found).cells if cell.id == "double")
                for _ in range(12)]  # fmt: skip

    assert first() == first()
    assert 0 < first().count(WRONG) < 12


def test_the_floor_runs_the_hidden_tests(group: Class) -> None:
    found = []

    def work(suite) -> None:
        for answer in (WRONG, "def double(x): return x + x"):
            notebook = group.answered(double=answer, Counter="Counter = None")
            found.append(failures(suite, run_cells(graded_cells(notebook))))

    with_suite(group.assignment, work)
    squares = ["test_integers_are_doubled", "test_negative_numbers_are_doubled"]
    assert [each.get("double", []) for each in found] == [squares, []]
    assert found[1]["Counter"] == ["test_calls_are_counted"]


def test_a_class_is_graded_and_its_cost_is_counted(group: Class, tmp_path: Path) -> None:
    """Without the other workers and the peers, which are in `make soak`."""
    assignments.cache_clear()
    notebooks = list(islice(bench_grading.submissions(group.assignment), 3))
    with contextlib.chdir(group.root):
        cost, outcome = bench_grading._grade(group.assignment, notebooks, 1, tmp_path)
    assignments.cache_clear()
    answers = [next(c.source for c in n.cells if c.id == "double") for n in notebooks]
    assert [each["double"]["score"] for each in outcome.values()] == [
        0 if answer == WRONG else 2 for answer in answers
    ]
    assert cost.submissions == 3 and cost.peak_mb > 100
    assert cost.start + cost.cpu > 0.5


@pytest.mark.soak
def test_every_side_is_timed_on_the_class(group: Class) -> None:
    assignments.cache_clear()
    with contextlib.chdir(group.root):
        report = bench_grading.compare(group.assignment, 2, 2)
    assignments.cache_clear()
    sides = {side["side"]: side for side in report["sides"]}
    assert list(sides) == [
        "floor",
        "course score",
        "course grade, 1 worker",
        "course grade, 2 workers",
        "nbgrader autograde",
        "nbgrader generate_feedback",
    ]
    assert all(side["submissions"] == 2 and side["wall"] > 0 for side in sides.values())
    assert all(side["start"] + side["cpu"] > 0 for side in sides.values())
    assert sides["course grade, 1 worker"]["peak_mb"] > 100

"""`course bench grading`, on a tiny class."""

import contextlib
import os
import sys
from itertools import islice
from pathlib import Path
from types import ModuleType

import pytest
from tiny_class import RIGHT, Class

from autograder import bench_grading, build, cells
from autograder.bench_grading import ours, peers, verdict
from autograder.bench_grading.measure import Cost, together
from autograder.config import CourseError, assignments
from autograder.local import LocalStudent, failures, run_cells
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


@pytest.mark.parametrize("assignment", assignments(), ids=lambda each: each.name)
def test_the_floor_finds_every_reference_right(assignment) -> None:
    """A test that stops early costs the floor less than it costs the grader."""
    cost, wrong = ours.floor(assignment, [build.parse_source(assignment)])
    assert cost.submissions == 1 and wrong == [set()]


def test_a_floor_that_finds_the_reference_wrong_is_refused(
    group: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a floor would be too cheap."""
    monkeypatch.setattr(LocalStudent, "__getattr__", lambda student, name: lambda *_: None)
    with pytest.raises(CourseError, match="test_integers_are_doubled"):
        ours.floor(group.assignment, [group.answered(**RIGHT)])


def test_a_class_is_graded_and_its_cost_is_counted(group: Class, tmp_path: Path) -> None:
    """Without the other workers and the peers, which are in `make soak`."""
    assignments.cache_clear()
    notebooks = list(islice(bench_grading.submissions(group.assignment), 3))
    with contextlib.chdir(group.root):
        cost, outcome = ours.grade(group.assignment, notebooks, 1, tmp_path)
    assignments.cache_clear()
    answers = [next(c.source for c in n.cells if c.id == "double") for n in notebooks]
    assert [each["double"]["score"] for each in outcome.values()] == [
        0 if answer == WRONG else 2 for answer in answers
    ]
    assert cost.submissions == 3 and cost.peak_mb > 100
    assert abs(cost.own) < cost.start  # of three, it may be less than what one took
    assert cost.start + cost.cpu > 0.5


def test_nbgraders_cells_run_the_hidden_tests(group: Class) -> None:
    notebook = peers.with_tests(group.answered(**{**RIGHT, "double": WRONG}), group.assignment)
    space = run_cells(graded_cells(notebook))
    *_, double, counter = [cell.source for cell in notebook.cells]
    with pytest.raises(AssertionError, match="test_integers_are_doubled"):
        exec(double, space)
    exec(counter, space)


def test_otters_files_run_the_hidden_tests(
    group: Class, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = ModuleType("otter.test_files")
    setattr(stub, "test_case", lambda hidden: lambda function: function)  # noqa: B010
    monkeypatch.setitem(sys.modules, "otter", ModuleType("otter"))
    monkeypatch.setitem(sys.modules, "otter.test_files", stub)
    notebook = peers.for_otter(group.answered(**{**RIGHT, "double": WRONG}))
    assert not any(map(cells.is_test, notebook.cells))
    space = run_cells(graded_cells(notebook))
    peers.write_otter_tests(group.release(), group.assignment, tmp_path / "tests")
    files = {path.stem: _executed(path) for path in (tmp_path / "tests").iterdir()}
    assert {name: file["points"] for name, file in files.items()} == {"double": 2, "Counter": 1.5}
    with pytest.raises(AssertionError, match="test_integers_are_doubled"):
        files["double"]["hidden_tests"](space)
    files["Counter"]["hidden_tests"](space)


def _executed(path: Path) -> dict:
    space: dict = {}
    exec(path.read_text(), space)
    return space


@pytest.mark.parametrize("python", [sys.executable, "/nowhere/python"])
def test_an_interpreter_without_otter_is_refused_with_what_to_install(python: str) -> None:
    with pytest.raises(CourseError, match=peers.OTTER):
        peers.check_otter(python)


def test_two_parts_of_the_floor_count_by_their_size() -> None:
    parts = [Cost("floor", number, cpu, 0.0, None, 2 * cpu, number * cpu)
             for number, cpu in ((1, 0.5), (3, 0.25))]  # fmt: skip
    assert together(*parts) == Cost("floor", 4, 0.3125, 0.0, None, 0.625, 1.25)


SIDES = {
    "floor": 0.1,
    "course score": 0.3,
    "course grade, 1 worker": 0.35,
    "course grade, 2 workers": 0.375,
    "nbgrader autograde": 2.0,
    "nbgrader generate_feedback": 0.1,
}
MB = {"course grade, 1 worker": 500.0, "course grade, 2 workers": 700.0}
OWN = {"course grade, 1 worker": 0.0625, "course grade, 2 workers": 0.0625}


def _costs(cpu: dict[str, float]) -> list[Cost]:
    return [
        Cost(
            side,
            12,
            seconds,
            1.0,
            cold=2.0,
            warm=0.5,
            wall=7.5,
            own=OWN.get(side),
            peak_mb=MB.get(side),
        )
        for side, seconds in cpu.items()
    ]


def test_wanted_figures_are_judged() -> None:
    figures = verdict.figures("01_tokenizer", _costs({**SIDES, "otter run": 5.1}), changed=1)
    judged = {each.what: (pytest.approx(each.measured), each.verdict) for each in figures}
    assert judged == {
        "course grade above the floor, CPU s each": (0.25, "reached"),
        "the same as a share of nbgrader's": (0.125, "reached"),
        "the same as a share of otter's": (0.05, ""),
        "minutes for 300 with 2 workers (reckoned from 12)": (151.5 / 60, "reached"),
        "course score of one notebook, cold, s": (2.0, "reached"),
        "course score of a further notebook, s": (0.5, "reached"),
        "memory of a further worker, MB": (200.0, "reached"),
        "submissions that two workers score otherwise": (1, "not reached"),
    }


def test_a_dear_assignment_is_measured_in_floors() -> None:
    sides = {**SIDES, "floor": 0.5, "course score": 0.9, "course grade, 1 worker": 1.0}
    figures = verdict.figures("11_copg", _costs(sides), changed=0)
    judged = {each.what: each.verdict for each in figures}
    assert judged["course grade in floors"] == "not reached"
    assert judged["course grade above the floor, CPU s each"] == "not reached"
    assert not any("otter" in what or "300" in what for what in judged)


def test_the_parts_of_ours_add_up_to_what_a_submission_costs() -> None:
    *own, second, stock = [part.cpu for part in verdict.parts(_costs(SIDES))]
    assert own == pytest.approx([0.1, 0.1875, 0.0625])
    assert second == pytest.approx(0.025) and stock == pytest.approx(2.0)


@pytest.mark.soak
def test_every_side_is_timed_on_the_class(group: Class) -> None:
    """OTTER_PYTHON names an interpreter with otter-grader (docs/scale.md)."""
    otter = os.environ.get("OTTER_PYTHON")
    assignments.cache_clear()
    with contextlib.chdir(group.root):
        report = bench_grading.compare([group.assignment], 2, 2, otter)
    assignments.cache_clear()
    (found,) = report["assignments"]
    sides = {side["side"]: side for side in found["sides"]}
    assert list(sides) == [
        "floor",
        "course score",
        "course grade, 1 worker",
        "course grade, 2 workers",
        "nbgrader autograde",
        "nbgrader generate_feedback",
        *(["otter run"] if otter else []),
    ]
    assert all(side["submissions"] == 2 and side["wall"] > 0 for side in sides.values())
    assert all(side["start"] + side["cpu"] > 0 for side in sides.values())
    assert sides["course grade, 1 worker"]["peak_mb"] > 100
    agreed = {name: side["agreed"] for name, side in sides.items() if side["agreed"] is not None}
    assert agreed == dict.fromkeys(["nbgrader autograde", *(["otter run"] if otter else [])], 2)
    assert found["parts"]
    *_, changed = found["figures"]
    assert changed["what"].startswith("submissions") and changed["verdict"] == "reached"

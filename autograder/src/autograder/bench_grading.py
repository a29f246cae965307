"""The grader against the least that grading can cost, and against stock nbgrader.

One class of varied submissions (the reference, one exercise answered as in the zoo) is graded by

    floor      the same cells and the same suite in one warm process, without sandbox or gradebook
    ours       `course grade`: sandbox, gradebook, feedback; with one and with two workers
    nbgrader   stock `nbgrader autograde`, a kernel for each notebook, the suite in its test cells

CPU seconds are those of the whole machine while a side runs, so nothing else should run meanwhile.
The floor and nbgrader are timed on the first few submissions only.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbformat import NotebookNode

from autograder import build, cells
from autograder.check import load_zoo
from autograder.classroom import grade_class
from autograder.config import Assignment, CourseError
from autograder.course import open_course
from autograder.local import LocalStudent, run_cells
from autograder.scoring import Suite, with_suite
from autograder.submission import graded_cells
from autograder.suite import Draw

KEY = b"bench"


@dataclass(frozen=True)
class Cost:
    """What one side took, per submission."""

    side: str
    submissions: int
    cpu: float
    wall: float


def compare(assignment: Assignment, students: int, peers: int) -> list[Cost]:
    """Grade the same class with every side.

    Args:
        students: size of the class that this grader takes.
        peers: how many of them the floor and stock nbgrader take.
    """
    build.write(assignment)
    with tempfile.TemporaryDirectory() as folder:
        names = [f"s{number:04d}" for number in range(students)]
        notebooks = list(islice(submissions(assignment), students))
        costs = [_floor(assignment, notebooks[:peers])]
        for workers in (1, 2):
            root = Path(folder, f"workers-{workers}")
            course = open_course(root, development=True)
            for name, notebook in zip(names, notebooks, strict=True):
                path = course.submitted(assignment.name, name) / f"{assignment.notebook}.ipynb"
                path.parent.mkdir(parents=True)
                nbformat.write(notebook, path)
            side = f"ours, {workers} worker{'s' if workers > 1 else ''}"

            def grade(course: Any = course, workers: int = workers) -> None:
                grade_class(course, assignment, names, workers=workers)

            costs.append(_measured(side, students, grade))
        costs.append(_stock(assignment, notebooks[:peers], Path(folder, "stock")))
    return costs


def submissions(assignment: Assignment) -> Iterator[NotebookNode]:
    """Notebooks without end: the reference with one exercise answered as in the zoo."""
    source = nbformat.read(assignment.source, as_version=4)
    for answer in cycle(sorted(load_zoo(assignment), key=lambda each: (each.name, each.exercise))):
        notebook = nbformat.from_dict(source)
        for cell in notebook.cells:
            if cells.grade_id(cell) == answer.exercise and cells.is_solution(cell):
                cell.source = answer.source
        yield notebook


def _measured(side: str, count: int, work: Callable[[], None]) -> Cost:
    before, started = _busy(), time.monotonic()
    with contextlib.redirect_stdout(io.StringIO()):
        work()
    wall = time.monotonic() - started
    return Cost(side, count, (_busy() - before) / count, wall / count)


def _busy() -> float:
    """CPU seconds that this machine has worked."""
    times = psutil.cpu_times()
    return times.user + times.nice + times.system


def _floor(assignment: Assignment, notebooks: list[NotebookNode]) -> Cost:
    found: list[Cost] = []

    def work(suite: Suite) -> None:
        def all_of_them() -> None:
            for notebook in notebooks:
                run_suite(suite, run_cells(graded_cells(notebook)))

        run_suite(suite, run_cells(graded_cells(notebooks[0])))  # warm
        found.append(_measured("floor", len(notebooks), all_of_them))

    with_suite(assignment, work)
    return found[0]


def run_suite(suite: Suite, space: dict[str, Any]) -> dict[str, bool]:
    """Which tests pass on functions in this very process."""
    passed = {}
    for test in suite.tests:
        draw = Draw(KEY, suite.assignment.name, test.exercise, test.name)
        student: Any = LocalStudent(space)
        passed[test.name] = suite.plugin.run(test.item, student, draw) is None
    return passed


def _stock(assignment: Assignment, notebooks: list[NotebookNode], root: Path) -> Cost:
    """nbgrader as it comes; a test cell runs the exercise's hidden tests in the kernel."""
    name, file = assignment.name, f"{assignment.notebook}.ipynb"
    (root / "source" / name).mkdir(parents=True)
    nbformat.write(_with_tests(nbformat.read(assignment.source, as_version=4), name),
                   root / "source" / name / file)  # fmt: skip
    command = [sys.executable, "-m", "nbgrader"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "JUPYTER_CONFIG_DIR": str(root)}

    def run(*arguments: str) -> None:
        done = subprocess.run([*command, *arguments], cwd=root, env=env, capture_output=True)
        if done.returncode:
            raise CourseError(f"nbgrader {arguments[0]} failed: {done.stderr[-500:].decode()}")

    run("generate_assignment", name, "--force")
    for number, notebook in enumerate(notebooks):
        path = root / "submitted" / f"s{number:04d}" / name / file
        path.parent.mkdir(parents=True)
        nbformat.write(_with_tests(notebook, name), path)
    return _measured(
        "stock nbgrader",
        len(notebooks),
        lambda: run("autograde", name, "--ExecutePreprocessor.timeout=300"),
    )


def _with_tests(notebook: NotebookNode, name: str) -> NotebookNode:
    """The notebook with the hidden tests in its test cells, and without plots and training."""
    notebook = nbformat.from_dict(notebook)
    notebook.cells = [cell for cell in notebook.cells if not cells.is_skipped(cell)]
    for cell in notebook.cells:
        if exercise := cells.exercise_of(cell):
            cell.source = (
                "from autograder.local import check_here\n"
                f"check_here({name!r}, {exercise!r}, globals())"
            )
    return notebook

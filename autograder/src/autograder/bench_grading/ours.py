"""The class, the floor, and this course's own commands."""

from __future__ import annotations

import contextlib
import io
import json
import random
import sys
import time
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path
from typing import Any

import nbformat
import torch
from nbformat import NotebookNode

from autograder import build, cells
from autograder.bench_grading.measure import Cost, Run, cost, measured
from autograder.check import Answer, load_zoo
from autograder.config import Assignment, CourseError
from autograder.course import Course, open_course
from autograder.local import failures, run_cells
from autograder.scoring import Suite, with_suite
from autograder.submission import graded_cells

MAX_CHANGED = 2


def submissions(assignment: Assignment) -> Iterator[NotebookNode]:
    """Notebooks without end, the same every time: the reference, some exercises as in the zoo."""
    source = nbformat.read(assignment.source, as_version=4)
    zoo: dict[str, list[Answer]] = {}
    for answer in load_zoo(assignment):
        zoo.setdefault(answer.exercise, []).append(answer)
    for number in count():
        chance = random.Random(number)
        changed = chance.sample(sorted(zoo), min(chance.randint(0, MAX_CHANGED), len(zoo)))
        answers = {name: chance.choice(zoo[name]).source for name in changed}
        notebook = nbformat.from_dict(source)
        for cell in notebook.cells:
            if cells.is_solution(cell):
                cell.source = answers.get(cells.grade_id(cell) or "", cell.source)
        yield notebook


def names(number: int) -> list[str]:
    """So many students."""
    return [f"s{index:04d}" for index in range(number)]


def floor(assignment: Assignment, notebooks: list[NotebookNode]) -> tuple[Cost, list[set[str]]]:
    """The cost of the floor, and which exercises it finds wrong in each notebook.

    Raises:
        CourseError: it finds the reference wrong, so tests end before they have cost anything.
    """
    reference = build.parse_source(assignment)
    found: list[Cost] = []
    wrong: list[set[str]] = []
    missed: dict[str, list[str]] = {}

    def work(suite: Suite) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            missed.update(failures(suite, run_cells(graded_cells(reference))))  # and is warm
            cpu, wall = time.process_time(), time.monotonic()
            for notebook in notebooks:
                wrong.append(set(failures(suite, run_cells(graded_cells(notebook)))))
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        number = len(notebooks)
        found.append(Cost("floor", number, cpu / number, 0.0, None, wall / number, wall))

    torch.set_num_threads(1)  # as the commands have
    with_suite(assignment, work)
    if missed:
        tests = ", ".join(chain.from_iterable(missed.values()))
        raise CourseError(
            f"{assignment.name}: without a sandbox the reference does not pass {tests}. "
            "See LocalStudent in autograder/local.py."
        )
    return found[0], wrong


def score(assignment: Assignment, notebooks: list[NotebookNode], folder: Path) -> Cost:
    """The cost of `course score`."""
    paths = []
    for number, notebook in enumerate(notebooks):
        paths.append(str(folder / f"{number}.ipynb"))
        nbformat.write(notebook, paths[-1])

    def run(number: int) -> Run:
        command = _course("score", "--assignment", assignment.name, "--json", *paths[:number])
        return measured(command, assignment.root, folder)

    return cost("course score", len(notebooks), run)


def grade(
    assignment: Assignment, notebooks: list[NotebookNode], workers: int, folder: Path
) -> tuple[Cost, dict[str, Any]]:
    """The cost of `course grade`, and what it found for each student."""

    def root(number: int) -> Path:
        return folder / str(number)

    def run(number: int) -> Run:
        course = open_course(root(number), development=True)
        for name, notebook in zip(names(number), notebooks, strict=False):
            path = course.submitted(assignment.name, name) / f"{assignment.notebook}.ipynb"
            path.parent.mkdir(parents=True)
            nbformat.write(notebook, path)
        command = _course("grade", assignment.name, "--workers", str(workers))
        return measured(command, assignment.root, root(number), watch=True)

    side = f"course grade, {workers} worker{'s' if workers > 1 else ''}"
    found = cost(side, len(notebooks), run)
    return found, _outcome(Course(root(len(notebooks))), assignment)


def _outcome(course: Course, assignment: Assignment) -> dict[str, Any]:
    """What the machine found for each student, read from the autograded notebooks."""
    file = f"{assignment.notebook}.ipynb"
    paths = {each: course.autograded(assignment.name, each) / file
             for each in course.students(assignment.name)}  # fmt: skip
    return {
        student: json.loads(path.read_text("utf-8"))["metadata"]["sft2rl"]["result"]["exercises"]
        for student, path in paths.items()
    }


def _course(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from autograder.cli import app; app()", *arguments]

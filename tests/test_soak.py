"""Long repetitions (`make soak`): always the same grades, under load and with processes killed.

SOAK_ROUNDS sets how often each is repeated (default 10). The zoos are scored once, as a class is
and with a fork for each test; `pytest tests/test_soak.py -m soak -k "zoo and 06"` takes one.
"""

import contextlib
import multiprocessing
import os
import random
from collections.abc import Iterator
from itertools import islice, zip_longest
from pathlib import Path

import nbformat
import psutil
import pytest
from test_faults import STUDENTS, grade, make_class, outcome

from autograder import bench_grading, build, cells
from autograder.build import parse_source
from autograder.check import Answer, load_zoo
from autograder.config import Assignment, assignments, find_assignment
from autograder.grade import Releases, prepare_file
from autograder.grading import Grading
from autograder.pool import grade_many
from autograder.results import Result
from autograder.scoring import Suite, with_suite
from autograder.submission import Submission, graded_cells

pytestmark = pytest.mark.soak
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "10"))
SUBMISSIONS = 8


def _burn() -> None:
    while True:
        pass


@contextlib.contextmanager
def load(processes: int) -> Iterator[None]:
    """This many processes that do nothing but keep a core busy."""
    burners = [multiprocessing.Process(target=_burn, daemon=True) for _ in range(processes)]
    for each in burners:
        each.start()
    try:
        yield
    finally:
        for each in burners:
            each.kill()
            each.join()


@pytest.mark.parametrize("name", ["01_tokenizer", "09_dpo"])
def test_a_class_is_graded_alike_whatever_the_load(name: str, tmp_path: Path) -> None:
    assignment = find_assignment(name)
    build.write(assignment)
    releases, prepared = Releases(assignment), []
    for number, notebook in enumerate(islice(bench_grading.submissions(assignment), SUBMISSIONS)):
        path = tmp_path / f"{number}.ipynb"
        nbformat.write(notebook, path)
        prepared.append((path.stem, prepare_file(path, releases)))
    first: dict[str, dict] = {}
    for number in range(ROUNDS):
        shuffled = random.Random(number).sample(prepared, len(prepared))
        with load(2 * (number % 4)):
            results = dict(grade_many(shuffled, assignment, b"soak", 1 + number % 3))
        found = {student: result.as_dict(student, name) for student, result in results.items()}
        first = first or found
        assert found == first
    assert len({row["score"] for row in first.values()}) > 1


def test_whatever_is_killed_a_class_ends_with_the_same_gradebook(tmp_path: Path) -> None:
    undisturbed = make_class(tmp_path / "undisturbed")
    grade(undisturbed, 1)
    for number in range(ROUNDS):
        group, chance = make_class(tmp_path / str(number)), random.Random(number)

        def kill_something(student: str, chance: random.Random = chance) -> None:
            victims = [each for each in psutil.Process().children() if each.name() != "alembic"]
            if victims and chance.random() < 0.5:
                chance.choice(victims).kill()

        grade(group, 1 + number % 3, progress=kill_something)
        grade(group, 2)  # as a TA would: once more, for what was not finished
        assert outcome(group) == outcome(undisturbed)
    assert len(STUDENTS) == len(outcome(undisturbed))


class Apart(Grading):
    """Grading with a fork for each test, whatever is proved."""

    def _state_kept(self) -> str:
        return "not asked"


def differences(one: Result, other: Result) -> list[tuple[object, object]]:
    """The tests and incidents that two results do not share."""
    rows = [
        [test for each in result.exercises.values() for test in each.tests] + result.incidents
        for result in (one, other)
    ]
    return [pair for pair in zip_longest(*rows) if pair[0] != pair[1]]


@pytest.mark.parametrize("assignment", assignments(), ids=lambda each: each.name)
def test_sharing_a_process_changes_no_result_of_the_zoo(assignment: Assignment) -> None:
    """Every answer stands in the reference's notebook, of which every exercise is scored.

    Right ones, however slow, cost no exercise points.
    """
    notebook = parse_source(assignment)
    whole, points = graded_cells(notebook), cells.exercises(notebook)
    shared, differ, unjust = [], {}, {}

    def scored(kind: type[Grading], suite: Suite, answer: Answer) -> Result:
        name, source = answer.exercise, answer.source
        answered = [(i, cell, source if cell == name else old) for i, cell, old in whole]
        with Submission(answered, assignment.limits, suite.preload) as submission:
            grading = kind(suite, submission, points, b"soak")
            result = grading.run()
        if grading.sharing:
            shared.append(answer)
        return result

    def work(suite: Suite) -> None:
        for answer in load_zoo(assignment):
            together, alone = (scored(kind, suite, answer) for kind in (Grading, Apart))
            which = f"{answer.exercise}/{answer.kind}_{answer.name}"
            if together != alone:
                differ[which] = differences(together, alone)
            tested = [alone.exercises[each] for each in {test.exercise for test in suite.tests}]
            if answer.kind == "rewrite" and any(each.score != each.max_score for each in tested):
                unjust[which] = alone.incidents

    with_suite(assignment, work)
    assert (differ, unjust) == ({}, {})
    assert shared

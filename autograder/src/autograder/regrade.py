"""Grading again after a suite was mended: what changes, for whom, by which test.

What was handed in is scored as `course grade` does it and compared with what the last grading
found. Only those for whom something changed are written: through nbgrader, like every grade, so
that points by hand and comments stay. What a person had finished stays finished, too, except where
the machine's new score lies under points by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from nbformat import NotebookNode
from nbgrader.apps.api import NbGraderAPI

from autograder import cells
from autograder.classroom import gradebook, handed_in_again, nbgrader_api, record, result_of
from autograder.config import Assignment, CourseError, did_you_mean
from autograder.course import Course
from autograder.doctor import require_sandbox
from autograder.export import Rows, guarded, number
from autograder.grade import (
    GRADED,
    GRADER_FAILED,
    Prepared,
    Releases,
    add_artefacts,
    artefact_exercises,
)
from autograder.late import late_policy
from autograder.lock import writing
from autograder.pool import grade_many
from autograder.results import ExerciseResult, Incident, Result, TestResult

ABSENT = "absent"


@dataclass(frozen=True)
class TestChange:
    """A hidden test that now ends otherwise; `absent` before or after where the suite changed."""

    test: str
    before: str
    after: str
    message_before: str
    message_after: str


@dataclass(frozen=True)
class Change:
    """An exercise of a student whose score, or what is said of it, has changed.

    Attributes:
        before, after: the machine's points; None: for a person.
        by_hand: points by hand stand above the machine's, and go on counting.
    """

    student: str
    exercise: str
    before: float | None
    after: float | None
    by_hand: bool
    tests: list[TestChange]


@dataclass
class Report:
    """What grading again has found.

    Attributes:
        exercise: the only one that might change; None: all.
        compared: how many students.
        left: student -> why they were not graded again.
        failed: student -> what nbgrader said.
    """

    assignment: str
    exercise: str | None
    dry_run: bool
    when: str = ""
    compared: int = 0
    changes: list[Change] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def regrade(
    course: Course,
    assignment: Assignment,
    students: list[str] | None = None,
    exercise: str | None = None,
    dry_run: bool = False,
    workers: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Report:
    """Grade again what was graded, and say what changed.

    Args:
        students: all that were graded by default.
        exercise: only this one's score may change.
        dry_run: change nothing.

    Raises:
        CourseError: there is no such exercise, or a student was not graded.
    """
    releases = Releases(assignment, course.versions(assignment.name))
    _check_exercise(exercise, releases.current, assignment)
    chosen = _graded(course, assignment, students)
    key = course.key()
    require_sandbox(assignment)
    late_policy()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    report = Report(assignment.name, exercise, dry_run, now)
    work = _Regrade(course, assignment, releases, key, exercise, report)
    if dry_run:
        work.run(chosen, workers, progress)
    else:
        with writing(course):
            work.run(chosen, workers, progress)
    report.changes.sort(key=lambda each: (each.student, each.exercise))
    return report


def _check_exercise(exercise: str | None, release: NotebookNode, assignment: Assignment) -> None:
    known = cells.exercises(release)
    if exercise is not None and exercise not in known:
        raise CourseError(
            f"{assignment.name} has no exercise {exercise!r}. It has: {', '.join(known)}."
        )


def _graded(course: Course, assignment: Assignment, students: list[str] | None) -> list[str]:
    graded = sorted(
        path.parent.name for path in course.root.glob(f"autograded/*/{assignment.name}")
    )
    if not graded:
        raise CourseError(f"Nobody's {assignment.name} is graded yet: run `course grade` first.")
    if unknown := sorted(set(students or ()) - set(graded)):
        raise CourseError(
            f"{unknown[0]}: {assignment.name} is not graded.{did_you_mean(unknown[0], graded)} "
            f"What was handed in, `course grade {assignment.name}` grades first."
        )
    return sorted(set(students)) if students else graded


class _Regrade:
    def __init__(
        self,
        course: Course,
        assignment: Assignment,
        releases: Releases,
        key: bytes,
        exercise: str | None,
        report: Report,
    ) -> None:
        self.course, self.assignment, self.releases = course, assignment, releases
        self.key, self.exercise, self.report = key, exercise, report
        self.api: NbGraderAPI = nbgrader_api(course)
        self.before: dict[str, Result] = {}
        self.in_flight: dict[str, Prepared] = {}

    def run(
        self, students: list[str], workers: int, progress: Callable[[str], None] | None
    ) -> None:
        results = grade_many(
            self._prepared(students), self.assignment, self.key, min(workers, len(students))
        )
        for student, result in results:
            self._add_artefacts(student, result)
            self._take(student, self.in_flight.pop(student), result)
            if progress:
                progress(student)

    def _prepared(self, students: list[str]) -> Iterator[tuple[str, NotebookNode]]:
        for student in students:
            if reason := self._reason_to_leave(student):
                self.report.left[student] = reason
                continue
            found = result_of(self.course, self.assignment, student)
            self.before[student] = result_from(found)
            folder = self.course.submitted(self.assignment.name, student)
            self.in_flight[student] = Prepared.read(folder, self.releases)
            yield student, self.in_flight[student].notebook

    def _reason_to_leave(self, student: str) -> str:
        try:
            result_of(self.course, self.assignment, student)
        except (OSError, ValueError, KeyError):
            return "its grading was interrupted: run `course grade`"
        if not self.course.submitted(self.assignment.name, student).is_dir():
            return "what was handed in is no longer in submitted/"
        if handed_in_again(self.api, self.course, self.assignment, student):
            return "handed in again since: run `course grade`"
        return ""

    def _add_artefacts(self, student: str, result: Result) -> None:
        if self.exercise is None or self.exercise in artefact_exercises(self.assignment):
            folder = self.course.submitted(self.assignment.name, student)
            add_artefacts(result, self.assignment, folder)

    def _take(self, student: str, submission: Prepared, result: Result) -> None:
        """Compare with what was found before; write it if something changed."""
        before = self.before[student]
        if result.status == GRADER_FAILED:
            self.report.left[student] = "the grader failed: the grade stays as it was"
            return
        if self.exercise is not None:
            if before.status != GRADED or result.status != GRADED:
                if before.status != result.status:
                    self.report.left[student] = (
                        f"was {before.status!r} and would be {result.status!r}: grade it again "
                        "without --exercise"
                    )
                else:
                    self.report.compared += 1
                return
            if self.exercise not in result.exercises:
                self.report.left[student] = f"their version has no {self.exercise}"
                return
            result = only(self.exercise, before, result)
        self.report.compared += 1
        changed = [name for name in result.exercises if differs(name, before, result)]
        if not changed and before.status == result.status:
            return
        with gradebook(self.api) as book:
            notebook = book.find_submission_notebook(
                self.assignment.notebook, self.assignment.name, student
            )
            hand = {each.name: each.manual_score is not None for each in notebook.grades}
            finished = {each.name for each in notebook.grades if not each.needs_manual_grade}
        for name in changed:
            by_hand = hand.get(cells.TEST + name, False)
            self.report.changes.append(change(student, name, before, result, by_hand))
        if not self.report.dry_run:
            self._write(student, submission, result, changed, finished)

    def _write(
        self,
        student: str,
        submission: Prepared,
        result: Result,
        changed: list[str],
        finished: set[str],
    ) -> None:
        note = {"regrade": {"exercise": self.exercise, "score_before": self.before[student].score}}
        row = record(self.api, self.course, self.assignment, student, submission, result, note)
        if row.failed:
            self.report.failed[student] = " ".join(row.happened)
            return
        finished -= {cells.TEST + name for name in changed}
        with gradebook(self.api) as book:
            notebook = book.find_submission_notebook(
                self.assignment.notebook, self.assignment.name, student
            )
            for grade in notebook.grades:
                if grade.name in finished:
                    grade.needs_manual_grade = False
            book.db.commit()


def result_from(found: dict[str, Any]) -> Result:
    """The result that `Result.as_dict` wrote; outputs are not in it."""
    exercises = {
        name: ExerciseResult(
            each["score"], each["max_score"], [TestResult(**test) for test in each["tests"]]
        )
        for name, each in found["exercises"].items()
    }
    incidents = [Incident(**each) for each in found["incidents"]]
    return Result(found["status"], exercises, dict(found["manual"]), incidents)


def only(exercise: str, before: Result, now: Result) -> Result:
    """The result as it was before, with this one exercise as it is now."""
    incidents = [each for each in before.incidents if each.exercise != exercise]
    incidents += [each for each in now.incidents if each.exercise == exercise]
    exercises = {**before.exercises, exercise: now.exercises[exercise]}
    return Result(before.status, exercises, before.manual, incidents, now.outputs)


def differs(exercise: str, before: Result, now: Result) -> bool:
    """Whether the points, the tests or the messages of an exercise are others than before."""
    return before.exercises.get(exercise) != now.exercises[exercise]


def change(student: str, exercise: str, before: Result, now: Result, by_hand: bool) -> Change:
    """What changed in an exercise."""
    old = before.exercises.get(exercise) or ExerciseResult(None, 0.0)
    new = now.exercises[exercise]
    tests_before = {test.name: test for test in old.tests}
    tests_after = {test.name: test for test in new.tests}
    absent = TestResult("", "failed", 0.0)
    tests = []
    for name in dict.fromkeys([*tests_before, *tests_after]):
        first, second = tests_before.get(name, absent), tests_after.get(name, absent)
        if first != second:
            was, is_ = (ABSENT if test is absent else test.outcome for test in (first, second))
            tests.append(TestChange(name, was, is_, first.text, second.text))
    return Change(student, exercise, old.score, new.score, by_hand, tests)


HEAD = (
    "student",
    "exercise",
    "points_before",
    "points_after",
    "change",
    "points_by_hand_count",
    "test",
    "outcome_before",
    "outcome_after",
    "message_before",
    "message_after",
)


def report_csv(report: Report) -> Rows:
    """One row per test that ends otherwise; one for an exercise where no test does."""
    rows = [list(HEAD)]
    for each in report.changes:
        change = None if None in (each.before, each.after) else difference(each)
        points = [number(each.before), number(each.after), number(change)]
        first = [guarded(each.student), each.exercise, *points, "yes" if each.by_hand else "no"]
        tests: list[list[str]] = [
            [test.test, test.before, test.after, test.message_before, test.message_after]
            for test in each.tests
        ]
        rows += [[*first, *map(guarded, test)] for test in tests or [[""] * 5]]
    return rows


def difference(change: Change) -> float:
    """The points that were won or lost; what is for a person counts 0."""
    return (change.after or 0.0) - (change.before or 0.0)

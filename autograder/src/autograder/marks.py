"""The grades of a class, read from the gradebook: what `course export` writes.

Read through nbgrader's own tables with SQLAlchemy, so that any database does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from nbgrader.api import Assignment as AssignmentRow
from nbgrader.api import (
    BaseCell,
    Grade,
    Gradebook,
    MissingEntry,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.apps.api import NbGraderAPI
from nbgrader.preprocessors import AssignLatePenalties

from autograder import cells, extensions
from autograder.classroom import gradebook, handed_in_again, nbgrader_api, result_of
from autograder.config import Assignment, CourseError, assignments
from autograder.course import Course
from autograder.grade import GRADED, Releases

NOT_HANDED_IN = "not handed in"
EXTENDED = "extended"
NOT_GRADED = "not graded"
TO_GRADE = "to grade"
WAITING = (EXTENDED, NOT_GRADED, TO_GRADE)


@dataclass(frozen=True)
class Person:
    """A student, as nbgrader's table of students has them; what is unknown is ""."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_user_id: str = ""


@dataclass(frozen=True)
class Mark:
    """What one student has in one assignment.

    Attributes:
        scores: points by the name of the graded cell (`test_...`, `written_...`).
        seconds_late: after the deadline that holds for this student.
        penalty: points that the late policy takes, of machine and hand together.
        status: "graded", a reason why there is no score (docs/incidents.md), or one of the above.
    """

    status: str
    scores: dict[str, float] = field(default_factory=dict)
    seconds_late: float = 0.0
    penalty: float = 0.0

    @property
    def machine(self) -> float:
        return sum(score for name, score in self.scores.items() if name.startswith(cells.TEST))

    @property
    def hand(self) -> float:
        return sum(self.scores.values()) - self.machine

    @property
    def points(self) -> float | None:
        """After the penalty; None where nothing was handed in."""
        return self.machine + self.hand - self.penalty if self.scores else None

    @property
    def waits(self) -> bool:
        """Whether this is not the last word yet."""
        return self.status in WAITING


@dataclass(frozen=True)
class Marks:
    """An assignment's marks.

    Attributes:
        maxima: the points of the graded cells by name, in the notebook's order.
        by_student: of everybody in the gradebook.
    """

    assignment: Assignment
    maxima: dict[str, float]
    by_student: dict[str, Mark]

    @property
    def max_points(self) -> float:
        return sum(self.maxima.values())


def people(book: Gradebook) -> list[Person]:
    """Everybody in the gradebook, by name."""
    found = [
        Person(each.id, *(getattr(each, name) or "" for name in NAMES)) for each in book.students
    ]
    return sorted(found, key=lambda each: (each.last_name, each.first_name, each.id))


NAMES = ("first_name", "last_name", "email", "lms_user_id")


def read_class(
    course: Course, wanted: Iterable[Assignment], now: datetime | None = None
) -> tuple[list[Person], list[Marks]]:
    """Everybody in the gradebook or with a submission, and the marks of the wanted assignments.

    Raises:
        CourseError: an assignment is not in the gradebook, or nobody is.
    """
    api, wanted = nbgrader_api(course), list(wanted)
    with gradebook(api) as book:
        everybody = people(book)
        known = {person.id for person in everybody}
        handed_in = {student for each in wanted for student in course.students(each.name)}
        everybody += map(Person, sorted(handed_in - known))
        if not everybody:
            raise CourseError(
                "Nobody is in the gradebook. Grade something, or enter the class in the course "
                "folder with `nbgrader db student import FILE.csv`."
            )
        marks = [_read(course, api, book, each, everybody, now) for each in wanted]
    return everybody, marks


def in_gradebook(course: Course) -> list[Assignment]:
    """The assignments of course.toml that were released or graded, in order."""
    with gradebook(nbgrader_api(course)) as book:
        known = {each.name for each in book.assignments if each.notebooks}
    return [each for each in assignments() if each.name in known]


def _read(
    course: Course,
    api: NbGraderAPI,
    book: Gradebook,
    assignment: Assignment,
    everybody: list[Person],
    now: datetime | None,
) -> Marks:
    try:
        graded_cells = book.find_notebook(assignment.notebook, assignment.name).grade_cells
    except MissingEntry as error:
        raise CourseError(
            f"{assignment.name} is not in the gradebook: `course release` or `course grade` "
            "enters it."
        ) from error
    maxima = {each.name: each.max_score for each in graded_cells}
    released = [cells.grade_id(cell) for cell in Releases(assignment).current.cells]
    order = {name: place for place, name in enumerate(released)}
    names = sorted(maxima, key=lambda name: (order.get(name, len(order)), name))
    now = now or datetime.now(UTC)
    extended = extensions.read(course).get(assignment.name, {})
    marks = _submitted(course, api, book, assignment)
    for person in everybody:
        if person.id in marks:
            continue
        status = NOT_HANDED_IN
        if course.submitted(assignment.name, person.id).is_dir():
            status = NOT_GRADED
        elif person.id in extended and now < extended[person.id]:
            status = EXTENDED
        marks[person.id] = Mark(status)
    return Marks(assignment, {name: maxima[name] for name in names}, marks)


def _submitted(
    course: Course, api: NbGraderAPI, book: Gradebook, assignment: Assignment
) -> dict[str, Mark]:
    """The marks of those whom the gradebook has a submission of."""
    found = (
        book.db.query(Student.id, BaseCell.name, Grade.score, Grade.needs_manual_grade)
        .select_from(Grade)
        .join(BaseCell, BaseCell.id == Grade.cell_id)
        .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .join(AssignmentRow, AssignmentRow.id == SubmittedAssignment.assignment_id)
        .join(Student, Student.id == SubmittedAssignment.student_id)
        .filter(AssignmentRow.name == assignment.name)
        .all()
    )
    scores: dict[str, dict[str, float]] = {}
    to_grade = set()
    for student, cell, score, by_hand in found:
        scores.setdefault(student, {})[cell] = score
        if by_hand:
            to_grade.add(student)
    penalty = Penalty(api)
    marks = {}
    for submission in book.assignment_submissions(assignment.name):
        student, late = submission.student.id, submission.total_seconds_late
        mark = Mark(_status(course, api, assignment, student), scores.get(student, {}), late)
        if mark.status == GRADED and student in to_grade:
            mark = replace(mark, status=TO_GRADE)
        marks[student] = replace(mark, penalty=penalty(student, mark.machine + mark.hand, late))
    return marks


def _status(course: Course, api: NbGraderAPI, assignment: Assignment, student: str) -> str:
    try:
        status = result_of(course, assignment, student)["status"]
    except (OSError, ValueError, KeyError):
        return NOT_GRADED
    return NOT_GRADED if handed_in_again(api, course, assignment, student) else status


class Penalty:
    """What nbgrader's late-submission plugin takes now, with all points by hand.

    The gradebook's own figure is as old as the last grading or feedback.
    """

    def __init__(self, api: NbGraderAPI) -> None:
        step = AssignLatePenalties(parent=api)
        step.init_plugin()
        self._plugin: Any = step.plugin_inst

    def __call__(self, student: str, score: float, seconds_late: float) -> float:
        if seconds_late <= 0:
            return 0.0
        penalty = self._plugin.late_submission_penalty(student, score, seconds_late) or 0.0
        return min(max(penalty, 0.0), score)

"""Until when a student may hand in."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime

from nbgrader.api import Assignment as AssignmentRow
from nbgrader.api import Gradebook, SubmittedAssignment

from autograder.config import Assignment, CourseError
from autograder.course import Course


def deadlines(course: Course, book: Gradebook, assignment: Assignment) -> dict[str, datetime]:
    """The later dates that some students were given.

    The gradebook keeps an extension with a submission; COURSE/extensions.toml has those of students
    who have not handed in yet, as `[assignment]` with a line `student = date` for each.
    """
    given = {
        each.student.id: assignment.due + each.extension
        for each in book.db.query(SubmittedAssignment)
        .join(AssignmentRow, AssignmentRow.id == SubmittedAssignment.assignment_id)
        .filter(AssignmentRow.name == assignment.name)
        if each.extension
    }
    return given | _granted(course, assignment)


def _granted(course: Course, assignment: Assignment) -> dict[str, datetime]:
    path = course.extensions_file
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CourseError(f"{path} cannot be read: {error}. Mend it or delete it.") from error
    return dict(table.get(assignment.name, {}))


def last_deadline(course: Course, book: Gradebook, assignment: Assignment) -> datetime:
    """When nobody may hand in any more."""
    return max([assignment.due, *deadlines(course, book, assignment).values()])


def handed_in_at(stamp: datetime) -> datetime:
    """A time of the gradebook, which is UTC without saying so."""
    return stamp.replace(tzinfo=UTC)

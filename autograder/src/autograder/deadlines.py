"""Until when a student may hand in."""

from __future__ import annotations

from datetime import UTC, datetime

from nbgrader.api import Assignment as AssignmentRow
from nbgrader.api import Gradebook, SubmittedAssignment

from autograder import extensions
from autograder.config import Assignment
from autograder.course import Course


def deadlines(course: Course, book: Gradebook, assignment: Assignment) -> dict[str, datetime]:
    """The later dates that some students were given, those who have not handed in included."""
    given = {
        each.student.id: assignment.due + each.extension
        for each in book.db.query(SubmittedAssignment)
        .join(AssignmentRow, AssignmentRow.id == SubmittedAssignment.assignment_id)
        .filter(AssignmentRow.name == assignment.name)
        if each.extension
    }
    return given | extensions.read(course).get(assignment.name, {})


def last_deadline(course: Course, book: Gradebook, assignment: Assignment) -> datetime:
    """When nobody may hand in any more."""
    return max([assignment.due, *deadlines(course, book, assignment).values()])


def handed_in_at(stamp: datetime) -> datetime:
    """A time of the gradebook, which is UTC without saying so."""
    return stamp.replace(tzinfo=UTC)

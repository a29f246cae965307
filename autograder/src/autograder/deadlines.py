"""Until when a student may hand in."""

from __future__ import annotations

from datetime import UTC, datetime

from nbgrader.api import Gradebook, MissingEntry

from autograder import extensions
from autograder.config import Assignment
from autograder.course import Course


def deadline(book: Gradebook, assignment: Assignment, student: str) -> datetime:
    """The assignment's date, or the later one that this student was given."""
    try:
        extension = book.find_submission(assignment.name, student).extension
    except MissingEntry:
        extension = None
    return assignment.due + extension if extension else assignment.due


def last_deadline(course: Course, book: Gradebook, assignment: Assignment) -> datetime:
    """When nobody may hand in any more."""
    granted = extensions.read(course).get(assignment.name, {}).values()
    students = (each.id for each in book.students)
    given = (deadline(book, assignment, student) for student in students)
    return max([assignment.due, *granted, *given])


def handed_in_at(stamp: datetime) -> datetime:
    """A time of the gradebook, which is UTC without saying so."""
    return stamp.replace(tzinfo=UTC)

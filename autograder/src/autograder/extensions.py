"""Extensions: who has until when, in COURSE/extensions.toml and in nbgrader's gradebook.

The gradebook keeps an extension with a submission, so one that is granted before anything was
handed in needs a place of its own: the file. Grading enters it; from there nbgrader's deadline,
lateness and late penalty are those of the student.
"""

from __future__ import annotations

import json
import os
import tomllib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry

from autograder.config import Assignment, CourseError
from autograder.course import Course
from autograder.lock import locked

HEAD = """\
# Who may hand in until when. Written by `course extend`, which enters it into the gradebook, too.
"""
Extensions = dict[str, dict[str, datetime]]


def read(course: Course) -> Extensions:
    """assignment -> student -> until when, with its time zone.

    Raises:
        CourseError: the file is damaged.
    """
    path = course.extensions_file
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise CourseError(f"{path} cannot be read: {error}. Mend it or delete it.") from error
    for assignment, students in table.items():
        for student, until in students.items() if isinstance(students, dict) else [("", None)]:
            if not isinstance(until, datetime) or until.tzinfo is None:
                raise CourseError(
                    f"{path}: {assignment}.{student} must be a date with time and time zone, "
                    "like 2026-09-24T23:59:00+02:00."
                )
    return table


def until_when(assignment: Assignment, text: str) -> datetime:
    """The end of an extension: a date (at the deadline's time of day), or a date with a time.

    Without a time zone of its own it is in the deadline's.

    Raises:
        CourseError: it is no date, or not after the deadline.
    """
    try:
        until = datetime.fromisoformat(text)
    except ValueError as error:
        raise CourseError(f"{text!r} is no date: write 2026-09-24, or 2026-09-24T18:00.") from error
    if len(text) <= len("2026-09-24"):
        until = datetime.combine(until.date(), assignment.due.timetz())
    elif until.tzinfo is None:
        until = until.replace(tzinfo=assignment.due.tzinfo)
    if until <= assignment.due:
        due = f"{assignment.due:%d %B %Y, %H:%M %z}"
        raise CourseError(f"{text} is not after the deadline of {assignment.name}, {due}.")
    return until


def set_extension(
    course: Course, book: Gradebook, assignment: Assignment, student: str, until: datetime | None
) -> None:
    """Grant an extension, or with None take it back: in the file, and in the gradebook."""
    with locked(course.root / ".extensions.lock", wait=True):
        known = read(course)
        known.setdefault(assignment.name, {}).pop(student, None)
        if until is not None:
            known[assignment.name][student] = until
        _write(course.extensions_file, known)
    if until is None:
        with suppress(MissingEntry):
            book.find_submission(assignment.name, student).extension = None
            book.db.commit()
    else:
        enter(book, course, assignment.name, student)


def forget(course: Course, student: str) -> None:
    """Take a student out of the file; the gradebook is another matter."""
    with locked(course.root / ".extensions.lock", wait=True):
        known = read(course)
        if any(student in students for students in known.values()):
            for students in known.values():
                students.pop(student, None)
            _write(course.extensions_file, known)


def enter(book: Gradebook, course: Course, assignment: str, student: str) -> None:
    """Enter what the file says into the student's submission, if there are both."""
    until = read(course).get(assignment, {}).get(student)
    if until is None:
        return
    with suppress(MissingEntry):
        submission = book.find_submission(assignment, student)
        due = submission.assignment.duedate
        if due is not None:
            longer = until.astimezone(UTC).replace(tzinfo=None) - due
            submission.extension = longer if longer > timedelta() else None
            book.db.commit()


def _write(path: Path, known: Extensions) -> None:
    lines = [HEAD]
    for assignment, students in sorted(known.items()):
        if students:
            lines.append(f"[{_quoted(assignment)}]")
            lines += [
                f"{_quoted(student)} = {until.isoformat()}"
                for student, until in sorted(students.items())
            ]
            lines.append("")
    new = path.with_suffix(".new")
    new.write_text("\n".join(lines), "utf-8")
    os.replace(new, path)


def _quoted(name: str) -> str:
    """A TOML key: JSON's string is one where nothing outside ASCII is escaped."""
    return json.dumps(name, ensure_ascii=False)

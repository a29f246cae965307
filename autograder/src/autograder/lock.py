"""Locks between processes: one writes the gradebook of a course folder at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autograder.config import CourseError
from autograder.course import Course


@contextmanager
def writing(course: Course) -> Iterator[None]:
    """Held while a class is graded.

    Raises:
        CourseError: another process holds it.
    """
    with locked(course.root / ".writing.lock") as got:
        if not got:
            raise CourseError(
                f"Somebody else is grading in {course.root}. Start this again when that has ended."
            )
        yield


@contextmanager
def locked(path: Path, wait: bool = False) -> Iterator[bool]:
    """Whether this process got the lock; with `wait`, it does.

    A POSIX lock: it ends with the process, whatever ended it, and a fork of the process does not
    keep it.

    Raises:
        CourseError: the lock's file cannot be opened.
    """
    try:
        file = path.open("a")
    except OSError as error:
        raise CourseError(f"{path} cannot be opened: {error.strerror}.") from error
    with file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True

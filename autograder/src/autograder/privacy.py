"""Forgetting a student: everything that the course keeps of them. docs/privacy.md lists it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from nbgrader.api import MissingEntry
from nbgrader.utils import notebook_hash

from autograder import extensions
from autograder.backup import gradebook_file
from autograder.classroom import gradebook, nbgrader_api
from autograder.config import CourseError, assignments, did_you_mean
from autograder.course import Course

FOLDERS = ("submitted", "autograded", "feedback")
SECRET = "submission_secret.txt"
STAFF_FILES = ("*", "exports/*", "regrades/*")


@dataclass
class Trace:
    """What the course keeps of one student.

    Attributes:
        paths: folders and files that are theirs alone, and pages that can be made again.
        submissions: assignments of which the gradebook has a submission; None if it does not know
            the student.
        audit: lines of the audit file.
        named: files of the staff's in which the name stands: for a person to look at.
        stuck: what could not be removed.
    """

    student: str
    paths: list[Path] = field(default_factory=list)
    submissions: list[str] | None = None
    audit: int = 0
    named: list[Path] = field(default_factory=list)
    stuck: list[Path] = field(default_factory=list)

    def lines(self) -> list[str]:
        """One line for everything that is kept."""
        book = []
        if self.submissions is not None:
            book = [f"gradebook: the student, and submissions of {_listed(self.submissions)}"]
        audit = [f"audit.jsonl: {self.audit} lines"] if self.audit else []
        return [*map(str, self.paths), *book, *audit]


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "nothing"


def find(course: Course, student: str) -> Trace:
    """What there is of a student.

    Raises:
        CourseError: nothing, or it is no name of a student.
    """
    if not student or "/" in student or student.startswith("."):
        raise CourseError(f"{student!r} is no student's name.")
    api = nbgrader_api(course)
    exchange = Path(api.exchange_root, api.course_id)
    trace = Trace(student)
    inbound = _entries(exchange / "inbound", student)
    own = [path for name in FOLDERS if (path := course.root / name / student).is_dir()]
    trace.paths = [*own, *inbound, *_published([*own, *inbound], exchange / "feedback")]
    trace.paths += _pages(course, student)
    with gradebook(api) as book:
        try:
            found = book.find_student(student).submissions
            trace.submissions = sorted(each.assignment.name for each in found)
        except MissingEntry:
            pass
    trace.audit = sum(_is_about(line, student) for line in _audit_lines(course))
    if not trace.lines():
        known = {path.name for name in FOLDERS for path in (course.root / name).glob("*")}
        raise CourseError(
            f"There is nothing of {student!r} in {course.root}.{did_you_mean(student, known)}"
        )
    return trace


def _entries(inbound: Path, student: str) -> list[Path]:
    """The student's submissions in the exchange, collected or not."""
    try:
        return sorted(path for path in inbound.iterdir() if path.name.startswith(f"{student}+"))
    except OSError:
        return []


def _published(folders: Iterable[Path], exchange: Path) -> list[Path]:
    """Feedback in the exchange, which lies under a name made of the submission's secret."""
    found = set()
    for path in (each for folder in folders for each in folder.rglob(SECRET)):
        try:
            secret = path.read_text("ascii")
        except (OSError, ValueError):
            continue
        names = (notebook_hash(secret=secret, notebook_id=each.notebook) for each in assignments())
        found |= {page for name in names if (page := exchange / f"{name}.html").is_file()}
    return sorted(found)


def _pages(course: Course, student: str) -> list[Path]:
    """Pages about the class that show the student, and can be made again."""
    named = [page for page in course.root.glob("reports/*.html") if _names(page, student)]
    boards = [
        page
        for page in course.root.glob("leaderboard/*.html")
        if (course.submitted(page.stem, student) / "leaderboard.txt").exists()
    ]
    return sorted([*named, *boards])


def _names(path: Path, student: str) -> bool:
    return student.encode() in path.read_bytes()


def _audit_lines(course: Course) -> Iterator[str]:
    if course.audit_file.exists():
        with course.audit_file.open(encoding="utf-8") as stream:
            yield from stream


def _is_about(line: str, student: str) -> bool:
    try:
        return json.loads(line).get("student") == student
    except (ValueError, AttributeError):
        return False  # cut off when the disk was full: for a person to look at


def forget(course: Course, trace: Trace) -> None:
    """Remove it; not while grading runs. What could not be removed is `trace.stuck` afterwards."""
    _forget_grades(course, trace)
    _forget_audit(course, trace.student)
    extensions.forget(course, trace.student)
    for path in trace.paths:
        try:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError:
            trace.stuck.append(path)
    found = (path for glob in STAFF_FILES for path in course.root.glob(glob))
    trace.named = sorted(p for p in found if p.is_file() and _names(p, trace.student))


def _forget_grades(course: Course, trace: Trace) -> None:
    if trace.submissions is None:
        return
    with gradebook(nbgrader_api(course)) as book:
        for assignment in trace.submissions:
            book.remove_submission(assignment, trace.student)
        book.remove_student(trace.student)
    if database := gradebook_file(course):
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("VACUUM")  # SQLite leaves what was deleted in its file


def _forget_audit(course: Course, student: str) -> None:
    if not course.audit_file.exists():
        return
    kept = [line for line in _audit_lines(course) if not _is_about(line, student)]
    mode = course.audit_file.stat().st_mode & 0o777
    with tempfile.NamedTemporaryFile("w", dir=course.root, delete=False, encoding="utf-8") as new:
        new.writelines(kept)
    os.chmod(new.name, mode)
    os.replace(new.name, course.audit_file)

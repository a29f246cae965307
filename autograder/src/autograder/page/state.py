"""What the course's page shows: the assignments, with their numbers."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from nbgrader.api import Assignment as AssignmentRow
from nbgrader.api import BaseCell, Grade, Gradebook, SubmittedAssignment, SubmittedNotebook
from nbgrader.utils import notebook_hash, parse_utc

from autograder.classroom import gradebook, nbgrader_api, released_names
from autograder.config import Assignment, assignments
from autograder.course import Course, open_course
from autograder.nbgrader_parts.collect import Refused, examine
from sft2rl import __version__

NEVER = datetime.min


def overview(root: Path) -> dict[str, Any]:
    """The assignments in order, the name of the one to release next ("" if none is left), and the
    version of the course."""
    course = open_course(root)
    api = nbgrader_api(course)
    exchange = Path(api.exchange_root, api.course_id)
    released = released_names(course)
    with gradebook(api) as book:
        waiting = _waiting_for_a_person(book)
    rows = [
        {
            "name": each.name,
            "title": each.title,
            "release": each.release.isoformat(),
            "due": each.due.isoformat(),
            "released": each.name in released,
            **_hands_in(course, each, exchange / "inbound"),
            "published": _published(course, each, exchange / "feedback"),
            **waiting.get(each.name, {"flagged": 0, "by_hand": 0}),
        }
        for each in assignments()
    ]
    left = [each.name for each in assignments() if each.name not in released]
    return {"assignments": rows, "next": left[0] if left else "", "version": __version__}


def _hands_in(course: Course, assignment: Assignment, inbound: Path) -> dict[str, int]:
    """How many students handed in, and of how many the latest version is graded."""
    latest = _inbound(inbound, assignment.name)
    for student in course.students(assignment.name):
        collected = _timestamp(course.submitted(assignment.name, student))
        latest[student] = max(latest.get(student, NEVER), collected)
    graded = sum(
        course.autograded(assignment.name, student).is_dir()
        and _timestamp(course.autograded(assignment.name, student)) >= when
        for student, when in latest.items()
    )
    return {"submitted": len(latest), "graded": graded}


def _inbound(folder: Path, assignment: str) -> dict[str, datetime]:
    """When each student last submitted through the exchange, collected or not."""
    latest: dict[str, datetime] = {}
    for path in folder.glob(f"*+{assignment}+*"):
        try:
            student, _, when = examine(str(path), assignment)
        except (Refused, OSError):
            continue
        latest[student] = max(latest.get(student, NEVER), when)
    return latest


def _timestamp(folder: Path) -> datetime:
    """The time of submission in a folder of the course; NEVER if it says none."""
    try:
        return parse_utc((folder / "timestamp.txt").read_text("ascii").strip())
    except (OSError, ValueError, OverflowError):
        return NEVER


def _published(course: Course, assignment: Assignment, exchange: Path) -> int:
    """How many students can fetch the feedback as it was last generated."""
    count = 0
    for page in course.root.glob(f"feedback/*/{assignment.name}/{assignment.notebook}.html"):
        try:
            secret = (page.parent / "submission_secret.txt").read_text("ascii")
            name = notebook_hash(secret=secret, notebook_id=assignment.notebook)
            published = exchange / f"{name}.html"
            count += published.stat().st_mtime >= page.stat().st_mtime
        except (OSError, ValueError):
            continue
    return count


def _waiting_for_a_person(book: Gradebook) -> dict[str, dict[str, int]]:
    """By assignment: submissions that the machine could not decide, and with answers to grade."""
    found = (
        book.db.query(AssignmentRow.name, BaseCell.type, BaseCell.name, SubmittedAssignment.id)
        .join(SubmittedAssignment, SubmittedAssignment.assignment_id == AssignmentRow.id)
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
        .join(BaseCell, BaseCell.id == Grade.cell_id)
        .filter(Grade.needs_manual_grade.is_(True))
        .all()
    )
    sets: dict[str, dict[str, set[str]]] = {}
    for assignment, _, cell, submission in found:
        kind = "by_hand" if re.match("written_", cell) else "flagged"
        row = sets.setdefault(assignment, {"flagged": set(), "by_hand": set()})
        row[kind].add(submission)
    return {name: {kind: len(ids) for kind, ids in row.items()} for name, row in sets.items()}

"""What `course list` shows: the assignments of course.toml with their exercises and points."""

from __future__ import annotations

from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder import cells
from autograder.config import Assignment, assignments


def overview() -> list[dict[str, Any]]:
    """One entry per assignment, in the order of course.toml."""
    return [_entry(assignment) for assignment in assignments()]


def _entry(assignment: Assignment) -> dict[str, Any]:
    notebook = _notebook(assignment)
    exercises = cells.exercises(notebook) if notebook else {}
    manual = cells.manual(notebook) if notebook else {}
    return {
        "name": assignment.name,
        "title": assignment.title,
        "section": assignment.section,
        "release": assignment.release.isoformat(),
        "due": assignment.due.isoformat(),
        "minutes": assignment.minutes,
        "points": sum(exercises.values()),
        "manual_points": sum(manual.values()),
        "exercises": exercises,
        "manual": manual,
    }


def _notebook(assignment: Assignment) -> NotebookNode | None:
    """The assignment's cells: from its source, or from its release where there is no source."""
    if assignment.solution.is_file():
        from autograder.build import parse_source

        return parse_source(assignment)
    if assignment.released.is_file():
        return nbformat.read(assignment.released, as_version=4)
    return None

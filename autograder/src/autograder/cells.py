"""What the cells of a notebook are: exercises, hand-graded answers, locked cells."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.config import SKIPPED_TAGS

TEST = "test_"
WRITTEN = "written_"
# nbclient, and so nbgrader's Validate, leaves out cells with this tag; JupyterLab runs them.
NOT_IN_VALIDATE = "skip-execution"


def nbgrader(cell: NotebookNode) -> dict[str, Any]:
    """The cell's nbgrader metadata; empty for an ordinary cell."""
    entry = cell.metadata.get("nbgrader")
    return entry if isinstance(entry, dict) else {}


def grade_id(cell: NotebookNode) -> str | None:
    """The cell's nbgrader id, or None."""
    name = nbgrader(cell).get("grade_id")
    return name if isinstance(name, str) and name else None


def is_solution(cell: NotebookNode) -> bool:
    """A cell that the student fills in: code, or a written answer."""
    return bool(nbgrader(cell).get("solution"))


def is_test(cell: NotebookNode) -> bool:
    """The cell that carries an exercise's points."""
    return bool(nbgrader(cell).get("grade")) and not is_solution(cell)


def is_written(cell: NotebookNode) -> bool:
    """A hand-graded answer."""
    return bool(nbgrader(cell).get("grade")) and is_solution(cell)


def is_locked(cell: NotebookNode) -> bool:
    """A cell of ours that a student does not edit."""
    return bool(nbgrader(cell)) and not is_solution(cell)


def is_skipped(cell: NotebookNode) -> bool:
    """A cell of ours that only draws or trains, and does not run in grading."""
    return bool(SKIPPED_TAGS & set(cell.metadata.get("tags", ())))


def exercise_of(cell: NotebookNode) -> str | None:
    """The exercise ID of a test cell, or None."""
    name = grade_id(cell)
    return name.removeprefix(TEST) if name and is_test(cell) else None


def _points(
    notebook: NotebookNode, wanted: Callable[[NotebookNode], bool]
) -> Iterator[tuple[str, float]]:
    for cell in notebook.cells:
        name = grade_id(cell)
        if name and wanted(cell):
            yield name, float(nbgrader(cell).get("points", 0))


def exercises(notebook: NotebookNode) -> dict[str, float]:
    """Points by exercise ID, in the notebook's order."""
    return {name.removeprefix(TEST): points for name, points in _points(notebook, is_test)}


def manual(notebook: NotebookNode) -> dict[str, float]:
    """Points of the hand-graded answers by grade_id (`written_...`), in the notebook's order."""
    return dict(_points(notebook, is_written))


def to_text(notebook: NotebookNode) -> str:
    """The notebook's file content: sorted keys, one line of source per line."""
    return nbformat.writes(notebook, version=4) + "\n"


def release_hash(notebook: NotebookNode) -> str:
    """Names a released version by its content, whatever hash it carries already."""
    bare = nbformat.from_dict(notebook)
    bare.metadata.pop("sft2rl", None)
    return hashlib.sha256(to_text(bare).encode()).hexdigest()[:16]

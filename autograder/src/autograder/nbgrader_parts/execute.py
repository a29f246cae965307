"""nbgrader's Execute step, replaced: the notebook runs in the sandbox and is scored outside it.

This is no subclass of nbgrader's Execute, so `--no-execute` does not reach it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder import audit, cells, incidents
from autograder.config import find_assignment
from autograder.course import Course
from autograder.grade import add_artefacts, grade
from autograder.nbgrader_parts.html import score_table
from autograder.results import ExerciseResult, Result


@dataclass(frozen=True)
class Found:
    """What `course grade` and `course regrade` found beforehand, in several processes.

    Attributes:
        notebook: the prepared notebook that was scored.
        note: what the audit record says besides.
    """

    notebook: NotebookNode
    result: Result
    note: dict[str, Any]


# By student, while it is recorded.
found: dict[str, Found] = {}


@contextmanager
def handed_over(
    student: str, notebook: NotebookNode, result: Result, note: dict[str, Any]
) -> Iterator[None]:
    """Have nbgrader record this, instead of reading and scoring what the student handed in."""
    found[student] = Found(notebook, result, note)
    try:
        yield
    finally:
        del found[student]


class SandboxExecute(NbGraderPreprocessor):
    """Scores the notebook; the result travels in `resources` and in the notebook's metadata."""

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        name, student = (resources["nbgrader"][each] for each in ("assignment", "student"))
        coursedir = self.parent.parent.coursedir
        course = Course(Path(coursedir.root))
        assignment, key = find_assignment(name), course.key()
        if student in found:
            result, note = found[student].result, found[student].note
        else:
            result, note = grade(nb, assignment, key), {}
            submitted = coursedir.format_path(coursedir.submitted_directory, student, name)
            add_artefacts(result, assignment, Path(submitted))
        resources["autograder"] = {"result": result}
        _show_outputs(nb, result)
        trace = audit.trace(nb, assignment, key)
        audit.append(course.audit_file, student, name, result, {**trace, **note})
        nb.metadata.sft2rl["audit"] = trace
        nb.metadata.sft2rl["result"] = result.as_dict(resources["nbgrader"]["notebook"], name)
        if notes := incidents.notes(result):
            text = "\n".join(["### What the grader met", "", *(f"- {note}" for note in notes)])
            nb.cells.insert(0, nbformat.v4.new_markdown_cell(text, id="grader-notes"))
        return nb, resources


def _show_outputs(nb: NotebookNode, result: Result) -> None:
    """The outputs of the run; under a test cell, its hidden tests."""
    status = "" if result.status == "graded" else incidents.status_text(result.status)
    for index, cell in enumerate(nb.cells):
        if cell.cell_type != "code":
            continue
        exercise = result.exercises.get(cells.exercise_of(cell) or "")
        if exercise is not None:
            cell.outputs = [_score_output(exercise, status)]
        else:
            cell.outputs = nbformat.from_dict(result.outputs.get(index, []))


def _score_output(exercise: ExerciseResult, status: str) -> NotebookNode:
    """First the number, as stock nbgrader would read it; the table is what people see."""
    score = "not graded yet" if exercise.score is None else repr(exercise.score)
    data = {"text/plain": score, "text/html": score_table(exercise, status)}
    return nbformat.from_dict(
        {"output_type": "execute_result", "execution_count": None, "metadata": {}, "data": data}
    )

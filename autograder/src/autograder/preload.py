"""What the warm process imports before sandboxes are forked from it, so that none pays for it."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from autograder.config import SKIPPED_TAGS, Assignment, CourseError


def preload_of(assignment: Assignment) -> tuple[str, ...]:
    """Import statements: those that run in the released notebook, and PRELOAD of the suite.

    Both are read from their text. A notebook that is not released yet has none.

    Raises:
        CourseError: a file of the suite is not Python.
    """
    suite = [name for file in assignment.suite_files for name in _preload(file)]
    return (*_imports(assignment.released), *(f"import {name}" for name in suite))


def _imports(notebook: Path) -> list[str]:
    """The import statements of cells that run in grading."""
    if not notebook.is_file():
        return []
    sources = [
        "".join(cell["source"])
        for cell in json.loads(notebook.read_text("utf-8"))["cells"]
        if cell["cell_type"] == "code" and SKIPPED_TAGS.isdisjoint(cell["metadata"].get("tags", ()))
    ]
    return [
        ast.unparse(statement)
        for source in sources
        for statement in _parse(source)
        if isinstance(statement, ast.Import | ast.ImportFrom)
    ]


def _parse(cell: str) -> list[ast.stmt]:
    """The statements of a cell; none of one that only IPython can read."""
    try:
        return ast.parse(cell).body
    except SyntaxError:
        return []


def _preload(file: Path) -> list[str]:
    try:
        statements = ast.parse(file.read_bytes()).body
    except SyntaxError as error:
        raise CourseError(f"{file}, line {error.lineno}: not Python: {error.msg}") from error
    return [
        name
        for node in statements
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PRELOAD"
        for name in ast.literal_eval(node.value)
    ]

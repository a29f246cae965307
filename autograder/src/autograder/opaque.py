"""Finds what a reader of a submission should look at: code that cannot be read, texts to machines.

It is evidence for a person, never a reason to take points.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from nbformat import NotebookNode

from autograder import cells
from autograder.parsed import nodes
from autograder.results import Incident

LITERAL_CHARACTERS = 20_000
RUNS_TEXT = {"exec", "eval", "compile"}
ADDRESSED = re.compile(
    r"\b(?:ignore|disregard|forget)\b.{0,30}\b(?:previous|prior|above|earlier)\b.{0,30}\binstructions?\b"
    r"|^\W*system\s*(?:prompt)?\s*:.{0,200}\b(?:grader|score|points|marks)\b",
    re.IGNORECASE | re.MULTILINE,
)


def incidents(notebook: NotebookNode) -> list[Incident]:
    """What a person should look at in the cells that a student wrote or filled in."""
    found = []
    for index, cell in enumerate(notebook.cells):
        if cells.is_locked(cell):
            continue
        where = cells.grade_id(cell) or ""
        own = "" if where else f" (cell {index + 1} of the notebook)"
        if cell.cell_type == "code":
            for line, what in unreadable_code(cell.source):
                found.append(Incident("opaque-code", where, f"line {line} {what}{own}"))
        for line, what in texts_to_machines(cell.source):
            found.append(Incident("orders", where, f"line {line} {what}{own}"))
    return found


def unreadable_code(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, what it is) for large literals and for text that is run as code."""
    for node in nodes(source):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            if len(node.value) > LITERAL_CHARACTERS:
                yield node.lineno, f"holds a literal of {len(node.value):,} characters"
        elif isinstance(node, ast.Call) and _runs_text(node):
            yield node.lineno, f"runs text that it makes with {ast.unparse(node.func)}()"


def texts_to_machines(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, what it is) for texts that give orders to whatever program reads them."""
    for match in ADDRESSED.finditer(source):
        yield source.count("\n", 0, match.start()) + 1, "gives orders to a program that reads it"


def _runs_text(call: ast.Call) -> bool:
    """Whether it runs, as code, a text that does not stand there to be read."""
    named = isinstance(call.func, ast.Name) and call.func.id in RUNS_TEXT
    return named and not all(isinstance(each, ast.Constant) for each in call.args)

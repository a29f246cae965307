"""From the text source of an assignment to the notebook that students get.

    solutions/NAME/TITLE.py -> build/source/NAME/TITLE.ipynb -> assignments/NAME/TITLE.ipynb

The second step is nbgrader's own `generate_assignment`. Both files are the same bytes every time.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections import Counter
from itertools import zip_longest
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder import cells
from autograder.cells import to_text
from autograder.config import Assignment, CourseError

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
HIDDEN_MARKS = ("BEGIN HIDDEN TESTS", "BEGIN MARK SCHEME")
FIELDS = {"schema_version", "solution", "grade", "locked", "task", "grade_id", "points"}
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
}


def read_source(assignment: Assignment) -> NotebookNode:
    """The instructor's notebook, read from the text source, checked and completed.

    Raises:
        CourseError: the source breaks a rule of docs/authoring.md; the message quotes the cell.
    """
    notebook = parse_source(assignment)
    if problems := validate(notebook):
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise CourseError(f"{_shown(assignment, assignment.solution)}:\n{lines}")
    return notebook


def parse_source(assignment: Assignment) -> NotebookNode:
    """The instructor's notebook as it stands, whatever rules it breaks."""
    import jupytext

    path = assignment.solution
    if not path.is_file():
        raise CourseError(f"{_shown(assignment, path)} is missing: write it (docs/authoring.md).")
    notebook = jupytext.reads(path.read_text("utf-8"), fmt="py:percent")
    _normalise(notebook, assignment)
    return notebook


def build(assignment: Assignment) -> tuple[str, str]:
    """The text of the instructor's notebook and of the released one."""
    source = read_source(assignment)
    return to_text(source), _released(assignment, source)


def _released(assignment: Assignment, source: NotebookNode) -> str:
    from autograder.nbgrader_parts.generate import released

    return to_text(released(assignment, source))


def problems(assignment: Assignment) -> list[str]:
    """Why the committed release is not the one to give out: stale, or leaking."""
    from autograder.leaks import leaks

    source = read_source(assignment)
    wanted = _released(assignment, source)
    where = _shown(assignment, assignment.released)
    if not assignment.released.is_file():
        return [f"{where} is missing: run `course build {assignment.name}`"]
    found = assignment.released.read_text("utf-8")
    return [*_stale(where, assignment.name, found, wanted), *leaks(assignment, source, found)]


def _stale(where: str, name: str, found: str, wanted: str) -> list[str]:
    if found == wanted:
        return []
    pairs = zip_longest(found.splitlines(), wanted.splitlines())
    line = next((i for i, (old, new) in enumerate(pairs, 1) if old != new), 1)
    return [f"{where}:{line}: differs from its source: run `course build {name}` and commit it"]


def write(assignment: Assignment) -> None:
    """Build both notebooks and put them in their places."""
    source, release = build(assignment)
    for path, text in ((assignment.source, source), (assignment.released, release)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")


def _normalise(notebook: NotebookNode, assignment: Assignment) -> None:
    """Fixed metadata, no outputs, ids that only change when their cell does."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict(
        {**NOTEBOOK_METADATA, "sft2rl": {"assignment": assignment.name}}
    )
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        metadata: dict[str, Any] = {}
        if entry := cells.nbgrader(cell):
            metadata["nbgrader"] = {**entry, "cell_type": cell.cell_type}
        if tags := cell.metadata.get("tags"):
            metadata["tags"] = [*tags, *([cells.NOT_IN_VALIDATE] * cells.is_skipped(cell))]
        cell.metadata = nbformat.from_dict(metadata)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        stem = _cell_id(cell)
        cell.id = f"{stem}-{seen[stem]}" if seen[stem] else stem
        seen[stem] += 1


def _cell_id(cell: NotebookNode) -> str:
    name = cells.grade_id(cell)
    if name and re.fullmatch(r"[A-Za-z0-9_-]{1,60}", name):
        return name
    return hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:10]


def validate(notebook: NotebookNode) -> list[str]:
    """Every broken rule of the authoring contract, each quoting its cell."""
    problems: list[str] = []
    ids = Counter(filter(None, map(cells.grade_id, notebook.cells)))
    first_code = next((cell for cell in notebook.cells if cell.cell_type == "code"), None)
    if first_code is None or cells.grade_id(first_code) != "setup":
        problems.append('the first code cell is not the locked cell with "grade_id": "setup"')
    for index, cell in enumerate(notebook.cells):
        following = notebook.cells[index + 1] if index + 1 < len(notebook.cells) else None
        preceding = notebook.cells[index - 1] if index else None
        found = _cell_problems(cell, preceding, following)
        if ids[cells.grade_id(cell) or ""] > 1:
            found.append(f"the grade_id {cells.grade_id(cell)!r} is used more than once")
        problems += [f"{problem}. {_quoted(cell, index)}" for problem in found]
    return problems


def _cell_problems(
    cell: NotebookNode, preceding: NotebookNode | None, following: NotebookNode | None
) -> list[str]:
    problems = [
        f"{mark} has no place here: hidden tests belong in autograder/suites"
        for mark in HIDDEN_MARKS
        if mark in cell.source
    ]
    if not cells.nbgrader(cell):
        if BEGIN in cell.source or END in cell.source:
            problems.append("solution markers in a cell that is not a solution cell")
        return problems
    problems += _metadata_problems(cell)
    if cells.is_written(cell):
        problems += _written_problems(cell)
    elif cells.is_solution(cell):
        problems += _solution_problems(cell, following)
    elif BEGIN in cell.source or END in cell.source:
        problems.append("solution markers in a locked cell")
    elif cells.is_test(cell):
        name = cells.exercise_of(cell)
        if preceding is None or cells.grade_id(preceding) != name:
            problems.append(f"the test cell does not follow the solution cell {name!r}")
    return problems


def _metadata_problems(cell: NotebookNode) -> list[str]:
    entry = cells.nbgrader(cell)
    problems = []
    if missing := FIELDS - {"points"} - set(entry):
        problems.append(f"nbgrader metadata lacks {', '.join(sorted(missing))}")
    if unknown := set(entry) - FIELDS - {"cell_type"}:
        problems.append(f"nbgrader metadata has unknown {', '.join(sorted(unknown))}")
    if entry.get("schema_version") != 3:
        problems.append('"schema_version" must be 3')
    if not cells.grade_id(cell):
        problems.append('"grade_id" must be a name')
    if entry.get("task"):
        problems.append('"task" cells are not used here: ask a written question')
    points = entry.get("points")
    if entry.get("grade"):
        if not isinstance(points, int | float) or isinstance(points, bool) or points <= 0:
            problems.append('"points" must be a number above 0')
    elif points is not None:
        problems.append('"points" belong to a cell with "grade": true')
    if bool(entry.get("locked")) == bool(entry.get("solution")):
        problems.append('exactly one of "locked" and "solution" must be true')
    if cells.is_skipped(cell):
        problems.append("tags `show` and `train` are for ordinary cells")
    return problems


def _written_problems(cell: NotebookNode) -> list[str]:
    problems = []
    if cell.cell_type != "markdown":
        problems.append("a cell that is both solution and grade must be markdown")
    if not (cells.grade_id(cell) or "").startswith(cells.WRITTEN):
        problems.append(f'the "grade_id" of a written answer starts with {cells.WRITTEN!r}')
    for heading in ("Model answer", "Rubric"):
        if heading not in cell.source:
            problems.append(f"a written answer needs a **{heading}.** paragraph")
    return problems


def _solution_problems(cell: NotebookNode, following: NotebookNode | None) -> list[str]:
    name = cells.grade_id(cell)
    problems = []
    if cell.cell_type != "code":
        return ['a markdown cell with "solution" needs "grade": true and "points"']
    if following is None or cells.grade_id(following) != f"{cells.TEST}{name}":
        problems.append(f'the cell after {name!r} is not its test cell "{cells.TEST}{name}"')
    problems += _marker_problems(cell.source)
    try:
        body = ast.parse(cell.source).body
    except SyntaxError as error:
        return [*problems, f"line {error.lineno} is not Python: {error.msg}"]
    definitions = (ast.FunctionDef, ast.ClassDef)
    if len(body) != 1 or not isinstance(body[0], definitions) or body[0].name != name:
        problems.append(f"the cell must hold exactly one function or class, called {name!r}")
    elif not ast.get_docstring(body[0]):
        problems.append(f"{name!r} has no docstring: it is the student's contract")
    elif missing := _without_types(body[0]):
        problems.append(f"{name!r} gives no type for {', '.join(missing)}: write them in its `def`")
    return problems


def _without_types(node: ast.stmt, of: str = "") -> list[str]:
    """The arguments of a function, or of the methods of a class, that have no annotation, and
    `return`."""
    if isinstance(node, ast.ClassDef):
        methods = (each for each in node.body if isinstance(each, ast.FunctionDef))
        return [name for each in methods for name in _without_types(each, f" of {each.name}")]
    if not isinstance(node, ast.FunctionDef):
        return []
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    missing = [each.arg for each in arguments if each.annotation is None and each.arg != "self"]
    if node.returns is None and node.name != "__init__":
        missing.append("return")
    return [name + of for name in missing]


def _marker_problems(source: str) -> list[str]:
    marks = [line.strip() for line in source.splitlines() if line.strip() in (BEGIN, END)]
    if not marks:
        return [f"there is no {BEGIN} ... {END}"]
    if marks != [BEGIN, END] * (len(marks) // 2):
        return [f"{BEGIN} and {END} do not alternate"]
    return []


def _quoted(cell: NotebookNode, index: int) -> str:
    lines = cell.source.strip().splitlines() or ["(empty)"]
    more = " ..." if len(lines) > 2 else ""
    return f"Cell {index + 1}: {' / '.join(line.strip() for line in lines[:2])}{more}"


def _shown(assignment: Assignment, path: Path) -> str:
    return str(path.relative_to(assignment.root))

"""Does what the button Validate does with each notebook, as released and solved; prints seconds.

CPU seconds count on a machine that does other things too; they are near the time on a free one.

python tools/measure_validate.py [NAME...]
"""

import io
import resource
import sys
import tempfile
import time
from contextlib import chdir, redirect_stdout
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.validator import Validator

from autograder import cells
from autograder.build import BEGIN, END, read_source
from autograder.config import Assignment, assignments


def solved(assignment: Assignment) -> NotebookNode:
    """The released notebook with the reference's answers in its cells."""
    answers = {
        cells.grade_id(cell): "\n".join(
            line for line in cell.source.split("\n") if line.strip() not in (BEGIN, END)
        )
        for cell in read_source(assignment).cells
    }
    notebook = nbformat.read(assignment.released, as_version=4)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = answers[cells.grade_id(cell)]
    return notebook


def cpu_seconds() -> float:
    """What processes of this one have used that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def validate(notebook: NotebookNode) -> tuple[str, int]:
    """Seconds and CPU seconds, and how many checks fail, in an empty folder."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder), redirect_stdout(io.StringIO()):
        nbformat.write(notebook, Path(folder, "notebook.ipynb"))
        started, before = time.monotonic(), cpu_seconds()
        found = Validator().validate("notebook.ipynb")
        seconds, cpu = time.monotonic() - started, cpu_seconds() - before
        return f"{seconds:.0f} ({cpu:.0f})", len(found.get("failed", []))


def row(assignment: Assignment) -> str:
    """A line of the table."""
    released, _ = validate(nbformat.read(assignment.released, as_version=4))
    answered, failed = validate(solved(assignment))
    return f"| `{assignment.name}` | {released} | {answered} | {failed} |"


if __name__ == "__main__":
    wanted = sys.argv[1:] or [each.name for each in assignments()]
    print("| assignment | s (CPU s), as released | s (CPU s), solved | checks that fail, solved |")
    print("| --- | --- | --- | --- |")
    for each in assignments():
        if each.name in wanted:
            print(row(each), flush=True)

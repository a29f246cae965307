"""Whether the visible checks let right answers through, and tell a stub that it is one."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout

from nbformat import NotebookNode

from autograder import cells
from autograder.config import Assignment
from autograder.reference import load_reference


class VisibleChecks:
    """The test cells of a notebook, to be run on our own answers in this process."""

    def __init__(self, assignment: Assignment, notebook: NotebookNode) -> None:
        self.file = f"shared/sft2rl/checks/{assignment.notebook}.py"
        self.names = vars(load_reference(assignment, everything=True))
        self.tests = {
            cells.exercise_of(cell): cell.source for cell in notebook.cells if cells.is_test(cell)
        }

    def problems(self, name: str, stub: str, rewrites: Mapping[str, str]) -> Iterator[str]:
        """What is wrong with the check of an exercise, one sentence each."""
        if error := self._error(name, ""):
            yield f"{self.file}: the visible check refuses the reference: {error}"
            return
        for rewrite, source in rewrites.items():
            if error := self._error(name, source):
                yield f"{self.file}: the visible check refuses the rewrite {rewrite}: {error}"
        error = self._error(name, stub)
        if error is None:
            yield f"{self.file}: the visible check accepts the stub: let it call the function."
        elif "is not written yet" not in error:
            yield f"{self.file}: the check needs @visible_check: a stub made it say {error!r}"

    def _error(self, name: str, answer: str) -> str | None:
        """What the check says in one line to this answer, or to the reference; None if nothing."""
        names = dict(self.names)
        try:
            with redirect_stdout(io.StringIO()):
                for source in (answer, self.tests[name]):
                    exec(compile(source, f"<{name}>", "exec"), names)
        except Exception as error:
            text = " / ".join(str(error).splitlines())
            return f"{type(error).__name__}: {text}"
        return None

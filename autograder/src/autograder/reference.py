"""The reference solution, imported from its jupytext script without plots and training."""

from __future__ import annotations

import ast
import io
import sys
from contextlib import redirect_stdout
from functools import cache
from types import ModuleType

from autograder.build import parse_source
from autograder.config import Assignment, CourseError, find_assignment
from autograder.forbidden import imported
from autograder.parsed import nodes
from autograder.submission import graded_cells

# What imports bind that is needed though no cell names it: all of a module, `from __future__`.
_NOT_NAMED = {"*", "annotations"}


@cache
def load_reference(assignment: Assignment, everything: bool = False) -> ModuleType:
    """A module with the reference solutions of an assignment: its setup and solution cells.

    Args:
        everything: import what these do not use, too: what is there for plots, widgets and checks.

    Raises:
        CourseError: a cell raises.
    """
    module = ModuleType(f"reference_{assignment.name}")
    sys.modules[module.__name__] = module
    cells = graded_cells(parse_source(assignment))
    used = None if everything else _used([source for _, _, source in cells])
    for index, _, source in cells:
        try:
            with redirect_stdout(io.StringIO()):
                tree = ast.parse(source)
                if used is not None:
                    tree.body = [each for each in tree.body if not _is_idle(each, used)]
                exec(compile(tree, f"{assignment.solution}#cell{index}", "exec"), vars(module))
        except Exception as error:
            raise CourseError(
                f"{assignment.solution}: cell {index + 1} does not run after those before it that "
                f"are not tagged `show` or `train`: {type(error).__name__}: {error}"
            ) from error
    return module


def _used(cells: list[str]) -> set[str]:
    """All names in the cells; a cell that does not parse is found when it runs."""
    return {each.id for cell in cells for each in nodes(cell) if isinstance(each, ast.Name)}


def _is_idle(statement: ast.stmt, used: set[str]) -> bool:
    """Whether this imports only what is not used; pyplot alone would take 0.4 CPU seconds."""
    bound = set(imported(statement))
    return bool(bound) and not bound & (used | _NOT_NAMED)


def reference(name: str) -> ModuleType:
    """The reference solutions of the assignment with this name, for hidden suites."""
    return load_reference(find_assignment(name))

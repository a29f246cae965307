"""The reference solution, imported from its jupytext script without plots and training."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout
from functools import cache
from types import ModuleType

from autograder.build import parse_source
from autograder.config import Assignment, CourseError, find_assignment
from autograder.submission import graded_cells


@cache
def load_reference(assignment: Assignment) -> ModuleType:
    """A module with the reference solutions of an assignment: its setup and solution cells.

    Raises:
        CourseError: a cell raises.
    """
    module = ModuleType(f"reference_{assignment.name}")
    sys.modules[module.__name__] = module
    for index, _, source in graded_cells(parse_source(assignment)):
        try:
            with redirect_stdout(io.StringIO()):
                exec(compile(source, f"{assignment.solution}#cell{index}", "exec"), vars(module))
        except Exception as error:
            raise CourseError(
                f"{assignment.solution}: cell {index + 1} does not run after those before it that "
                f"are not tagged `show` or `train`: {type(error).__name__}: {error}"
            ) from error
    return module


def reference(name: str) -> ModuleType:
    """The reference solutions of the assignment with this name, for hidden suites."""
    return load_reference(find_assignment(name))

"""The reference solution, imported from its jupytext script without plots and training."""

from __future__ import annotations

import sys
from functools import cache
from types import ModuleType

from autograder.build import parse_source
from autograder.config import Assignment, find_assignment
from autograder.submission import graded_cells


@cache
def load_reference(assignment: Assignment) -> ModuleType:
    """A module with the reference solutions of an assignment: its setup and solution cells."""
    module = ModuleType(f"reference_{assignment.name}")
    sys.modules[module.__name__] = module
    for index, _, source in graded_cells(parse_source(assignment)):
        exec(compile(source, f"{assignment.solution}#cell{index}", "exec"), vars(module))
    return module


def reference(name: str) -> ModuleType:
    """The reference solutions of the assignment with this name, for hidden suites."""
    return load_reference(find_assignment(name))

"""What students get after an assignment: solutions, erratum."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from autograder.cli.base import (
    DONE,
    WANTING,
    CourseOption,
    err,
    out,
    verb,
)
from autograder.config import CourseError, course_dir, find_assignment

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The assignment.")]


@verb
def solutions(
    name: NameArgument,
    force: Annotated[bool, typer.Option("--force", help="Before the last deadline, too.")] = False,
    course: CourseOption = None,
) -> int:
    """Give the model answers to the students, as NAME_solution in their list of assignments.

    Refuses, with the reason, until the deadline and every extension have passed.
    """
    from autograder import handout
    from autograder.course import existing_course

    folder, assignment = existing_course(course_dir(course)), find_assignment(name)
    if reason := handout.too_early(folder, assignment):
        if not force:
            out.print(escape(reason), style="red", highlight=False, soft_wrap=True)
            return WANTING
        err.print(
            f"Warning: {escape(reason)} Who hands in from now on can copy.",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )
    where = handout.release_solutions(folder, assignment)
    out.print(f"Model answers of {name}: {escape(where)}", highlight=False, soft_wrap=True)
    return DONE


@verb
def erratum(
    name: NameArgument,
    text: Annotated[
        str, typer.Option("--text", metavar="TEXT", help="The correction, in Markdown.")
    ],
    course: CourseOption = None,
) -> int:
    """Tell the students of a mistake in an assignment; nothing that they have begun is changed.

    It appears as NAME_erratum_1 (2, 3, ...) in their list of assignments, and lies beside the
    notebook of those who fetch NAME from now on. A corrected notebook is released with it.
    """
    from autograder import handout
    from autograder.course import existing_course

    if not text.strip():
        raise CourseError("An erratum needs a text: --text TEXT.")
    folder, assignment = existing_course(course_dir(course)), find_assignment(name)
    where = handout.release_erratum(folder, assignment, text)
    out.print(f"Erratum to {name}: {escape(where)}", highlight=False, soft_wrap=True)
    return DONE

"""`course release`."""

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
from autograder.config import Assignment, CourseError, assignments, course_dir, find_assignment


@verb
def release(
    name: Annotated[str, typer.Argument(metavar="[next|NAME]", help="The assignment.")] = "next",
    course: CourseOption = None,
) -> int:
    """Check an assignment and release it to the students through nbgrader.

    `next` is the first one, in the order of course.toml, that was not released yet. Refuses, with
    the reasons, before its release date or if `course check` finds something.
    """
    from autograder import classroom
    from autograder.course import open_course

    folder = open_course(course_dir(course))
    assignment = (
        _next(classroom.released_names(folder)) if name == "next" else find_assignment(name)
    )
    classroom.require_gradebook(folder)
    with err.status(f"{assignment.name}: checking its suite"):
        found = classroom.refusals(assignment)
    if found:
        for problem in found:
            out.print(escape(problem), style="red", highlight=False, soft_wrap=True)
        return WANTING
    where = classroom.release(folder, assignment)
    out.print(f"{assignment.name} is released: {escape(where)}", highlight=False, soft_wrap=True)
    return DONE


def _next(released: set[str]) -> Assignment:
    for assignment in assignments():
        if assignment.name not in released:
            return assignment
    raise CourseError("Every assignment of course.toml has been released.")

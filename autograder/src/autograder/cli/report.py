"""`course report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.base import (
    DONE,
    CourseOption,
    JsonOption,
    err,
    out,
    verb,
)
from autograder.config import course_dir, find_assignment


@verb
def report(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The assignment.")],
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Where the HTML page goes.", show_default=False),
    ] = None,
    json_: JsonOption = False,
    course: CourseOption = None,
) -> int:
    """Write a page about the graded class: scores, exercises, mistakes, times, similarity.

    For the staff: it names students. Default: COURSE/reports/NAME.html.
    """
    from autograder.course import existing_course
    from autograder.report import data
    from autograder.report.page import page

    assignment = find_assignment(name)
    folder = existing_course(course_dir(course))
    with err.status(f"reading what is graded of {name}"):
        found = data.collect(folder, assignment)
    if json_:
        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
        if to is None:
            return DONE
    path = to or folder.root / "reports" / f"{name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(found, data.made_at()), "utf-8")
    if not json_:
        out.print(f"Report: {path}", highlight=False, soft_wrap=True)
    return DONE

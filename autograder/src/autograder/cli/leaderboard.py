"""`course leaderboard`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

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
def leaderboard(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The assignment.")] = "project",
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="Where the HTML page goes.", show_default=False),
    ] = None,
    json_: JsonOption = False,
    course: CourseOption = None,
) -> int:
    """Rank the project's policies by J, for those who take part, under their pseudonyms.

    A student takes part by handing in `leaderboard.txt` with a pseudonym beside the policies. Every
    policy is evaluated here, as in grading (about a minute each, once).
    """
    from autograder import leaderboard as boards
    from autograder.course import Course

    folder, assignment = Course(course_dir(course)), find_assignment(name)
    with err.status("evaluating policies") as status:
        entries = boards.board(folder, assignment, lambda who: status.update(f"evaluating {who}"))
    path = to or folder.root / "leaderboard" / f"{name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(boards.page(entries, f"{assignment.title}: leaderboard"), "utf-8")
    if json_:
        rows = [entry.as_dict(place) for place, entry in enumerate(entries, 1)]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return DONE
    table = Table(box=None, caption=boards.CAPTION, caption_justify="left")
    for heading in ("", *boards.HEADINGS):
        table.add_column(heading, justify="left" if heading == "pseudonym" else "right")
    for place, entry in enumerate(entries, 1):
        table.add_row(str(place), *map(escape, boards.cells_of(entry)))
    out.print(table)
    out.print(f"Page: {path}", highlight=False, soft_wrap=True)
    return DONE

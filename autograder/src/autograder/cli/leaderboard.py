"""`course leaderboard`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import JustifyMethod
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

if TYPE_CHECKING:
    from autograder.leaderboard import Entry


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
    if entries:
        out.print(table(entries))
    else:
        out.print("Nobody takes part yet: it needs a leaderboard.txt with a name, and a policy.")
    out.print(f"Page: {path}", highlight=False, soft_wrap=True)
    return DONE


def table(entries: Sequence[Entry]) -> Table:
    """The board in 80 columns."""
    from autograder import leaderboard as boards

    made = Table(
        box=None, pad_edge=False, collapse_padding=True,
        caption=boards.CAPTION, caption_justify="left",
    )  # fmt: skip
    for heading in ("", *boards.HEADINGS):
        justify: JustifyMethod = "left" if heading == "pseudonym" else "right"
        made.add_column(heading, justify=justify, no_wrap=True)
    for place, entry in enumerate(entries, 1):
        made.add_row(str(place), *map(escape, boards.cells_of(entry)))
    return made

"""The command line: `course`. Verbs import what they need when they run."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder.config import Assignment, CourseError, assignments, find_assignment

DONE, WANTING, IMPOSSIBLE = 0, 1, 2

app = typer.Typer(
    name="course",
    help="Build, check, grade and release the assignments of the course.",
    epilog="Exit status: 0 done, 1 found wanting, 2 could not be done.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
out = Console()
err = Console(stderr=True)

CourseOption = Annotated[
    Path | None,
    typer.Option(
        "--course",
        envvar="COURSE_DIR",
        metavar="DIR",
        help="The folder with the class's data (submissions, gradebook, key). Default: ./course.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
NamesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Assignments; all that are written by default."),
]


def verb(command: Callable[..., int]) -> Callable[..., None]:
    """Register a verb: its return value is the exit status, a CourseError is printed."""

    @app.command(name=command.__name__.rstrip("_"))
    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            status = command(*args, **kwargs)
        except CourseError as error:
            err.print(f"[bold red]course:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
            status = IMPOSSIBLE
        raise typer.Exit(status)

    return run


def chosen(names: list[str] | None) -> list[Assignment]:
    """The named assignments, or all whose source exists."""
    if names:
        return [find_assignment(name) for name in names]
    written = [each for each in assignments() if each.solution.is_file()]
    if not written:
        raise CourseError("No assignment of course.toml has a source in solutions/ yet.")
    return written


@verb
def list_(json_: JsonOption = False, course: CourseOption = None) -> int:
    """List the assignments in order, with their exercises and points."""
    from autograder.overview import overview

    rows = overview()
    if json_:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return DONE
    table = Table()
    for heading in ("name", "title", "section", "due", "minutes", "exercises"):
        table.add_column(heading, no_wrap=True)
    for heading in ("points", "by hand"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            *(str(row[key]) for key in ("name", "title", "section")),
            row["due"][:10],
            str(row["minutes"]),
            str(len(row["exercises"]) or "not written yet"),
            f"{row['points']:g}",
            f"{row['manual_points']:g}",
        )
    out.print(table)
    return DONE


@verb
def build(
    names: NamesArgument = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if a release is stale or leaks.")
    ] = False,
    course: CourseOption = None,
) -> int:
    """Make the instructor's and the released notebooks from solutions/NAME/TITLE.py.

    The released notebook is nbgrader's own: solutions and model answers are cut out, graded cells
    locked. The same source gives the same bytes.
    """
    from autograder import build as builder

    status = DONE
    for assignment in chosen(names):
        if not check:
            builder.write(assignment)
            out.print(f"{assignment.name}: built {_short(assignment, assignment.released)}")
        elif found := builder.problems(assignment):
            status = WANTING
            for problem in found:
                out.print(escape(problem), style="red", highlight=False, soft_wrap=True)
        else:
            out.print(f"{assignment.name}: up to date, no leak")
    return status


def _short(assignment: Assignment, path: Path) -> str:
    return str(path.relative_to(assignment.root))


if __name__ == "__main__":
    app()

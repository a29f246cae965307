"""What every verb of the command line shares."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from autograder.config import Assignment, CourseError, assignments, find_assignment

# Most of what a verb makes is modules, which stay: a collector that looks less often saves
# a sixth of the time of importing them.
gc.set_threshold(50_000)
# And at the end it would look through all of them twice more, for half a second with torch.
atexit.register(gc.freeze)

DONE, WANTING, IMPOSSIBLE, INTERRUPTED = 0, 1, 2, 130

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
        except KeyboardInterrupt:
            err.print("Interrupted. What was finished is kept: start it again to go on.")
            status = INTERRUPTED
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

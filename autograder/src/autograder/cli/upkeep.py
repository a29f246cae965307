"""Verbs that look after a course folder: backup, restore, forget."""

from __future__ import annotations

from pathlib import Path
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
from autograder.config import course_dir


@verb
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new .tar.gz.")],
    course: CourseOption = None,
) -> int:
    """Write the course folder into one file: submissions, gradebook, feedback, versions, key.

    May run while the course is in use. Exit status 1 if the gradebook is not in it (PostgreSQL) or
    something was left out.
    """
    from autograder import backup as backups
    from autograder.course import existing_course

    folder = existing_course(course_dir(course))
    with err.status(f"reading {folder.root}"):
        kept = backups.backup(folder, file)
    out.print(f"{len(kept.files)} files in {file}", highlight=False, soft_wrap=True)
    warnings = [
        "It holds the course's key and the students' work: keep it where only you can read."
    ]
    warnings += [f"Left out, since it is no file: {name}" for name in kept.left_out]
    warnings += [kept.database] * bool(kept.database)
    for warning in warnings:
        err.print(escape(warning), style="yellow", highlight=False, soft_wrap=True)
    return WANTING if kept.left_out or kept.database else DONE


@verb
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `course backup` wrote.")],
    into: Annotated[
        Path | None,
        typer.Option("--into", metavar="DIR", help="A folder that is new or empty."),
    ] = None,
    course: CourseOption = None,
) -> int:
    """Make a course folder of a backup, after checking every file against its hash.

    Without --into, at the place of --course. Overwrites nothing.
    """
    from autograder import backup as backups

    place = into or course_dir(course)
    found = backups.restore(file, place)
    out.print(f"{len(found)} files, all intact, in {place}", highlight=False, soft_wrap=True)
    return DONE

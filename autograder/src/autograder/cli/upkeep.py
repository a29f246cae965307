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
    warnings = ["It holds the course's key and the students' work: keep it to yourself."]
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
    from autograder.course import require_account

    place = into or course_dir(course)
    require_account(place)
    found = backups.restore(file, place)
    out.print(f"{len(found)} files, all intact, in {place}", highlight=False, soft_wrap=True)
    return DONE


@verb
def forget(
    student: Annotated[str, typer.Argument(metavar="STUDENT", help="Their name on the hub.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    course: CourseOption = None,
) -> int:
    """Remove everything that the course keeps of a student; shows it, and asks first.

    Submissions, graded notebooks, feedback, grades, lines of the audit file. Exit status 1 if you
    decline, or something could not be removed. docs/privacy.md says what remains.
    """
    from autograder import privacy
    from autograder.course import existing_course
    from autograder.lock import writing

    folder = existing_course(course_dir(course))
    trace = privacy.find(folder, student)
    for line in trace.lines():
        out.print(escape(line), highlight=False, soft_wrap=True)
    if not yes and not typer.confirm("Remove this? It cannot be undone."):
        return WANTING
    with writing(folder):
        privacy.forget(folder, trace)
    for path in trace.stuck:
        out.print(f"Not removed: {escape(str(path))}", style="red", highlight=False, soft_wrap=True)
    for path in trace.named:
        text = f"The name still stands in {path}: look at it."
        out.print(escape(text), style="yellow", highlight=False, soft_wrap=True)
    if not trace.stuck:
        out.print("Removed.")
    text = "It remains in backups, in what was exported, and in the student's own account"
    out.print(f"{text} (docs/privacy.md).", highlight=False, soft_wrap=True)
    return WANTING if trace.stuck else DONE

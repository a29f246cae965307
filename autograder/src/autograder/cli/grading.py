"""Verbs that grade: score, grade."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from autograder.cli.base import (
    DONE,
    WANTING,
    CourseOption,
    JsonOption,
    err,
    out,
    verb,
)
from autograder.config import CourseError, assignments, course_dir, did_you_mean, find_assignment

if TYPE_CHECKING:
    from autograder.classroom import Row
    from autograder.course import Course
    from autograder.results import Result

MANY_PLACES = 5


@verb
def score(
    notebooks: Annotated[list[Path], typer.Argument(metavar="NOTEBOOK...")],
    assignment: Annotated[str, typer.Option("--assignment", metavar="NAME", help="Which one.")],
    json_: JsonOption = False,
    course: CourseOption = None,
) -> int:
    """Score notebooks, without a gradebook.

    Uses the course's key if there is a course folder, else the development key. Exit status 1 if a
    notebook could not be graded.
    """
    from autograder.zygote import start_zygote

    which = find_assignment(assignment)
    start_zygote(which)

    from autograder.course import Course, key_for_scoring
    from autograder.grade import GRADED, score_files
    from autograder.sandbox import stay_on_one_core

    folder = course_dir(course)
    versions = Course(folder).versions(which.name)
    stay_on_one_core(os.getpid())
    results = score_files(notebooks, which, key_for_scoring(folder), versions)
    if json_:
        rows = [
            result.as_dict(str(path), which.name)
            for path, result in zip(notebooks, results, strict=True)
        ]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        for path, result in zip(notebooks, results, strict=True):
            _print_result(path, result)
    return DONE if all(result.status == GRADED for result in results) else WANTING


def _print_result(path: Path, result: Result) -> None:
    from autograder import incidents

    line = f"[bold]{escape(str(path))}[/]: {result.score:.4g} of {result.max_score:g}"
    out.print(line, highlight=False)
    table = Table(box=None, pad_edge=False)
    for heading in ("exercise", "points", "what failed"):
        table.add_column(heading)
    for name, each in result.exercises.items():
        points = "by hand" if each.score is None else f"{each.score:.4g} of {each.max_score:g}"
        failed = [test.text for test in each.tests if test.outcome == "failed"]
        table.add_row(name, points, escape("\n".join(failed)))
    out.print(table)
    for note in incidents.notes(result, staff=True):
        out.print(f"  {escape(note)}", style="yellow", highlight=False)


@verb
def grade(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The assignment.")],
    student: Annotated[
        list[str] | None,
        typer.Option("--student", metavar="ID", help="Only this one; may be repeated."),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Grade again what was graded already; what was read by hand then waits for "
            "another look, which `course regrade` spares you.",
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, help="Processes; by default one per core."),
    ] = None,
    scheduler: Annotated[
        str,
        typer.Option("--scheduler", metavar="ADDRESS", help="Grade on this scheduler's workers."),
    ] = "",
    course: CourseOption = None,
) -> int:
    """Grade what was handed in, into the gradebook, and write feedback.

    Reads COURSE/submitted/STUDENT/NAME. What was graded before and not handed in again is left
    alone. `nbgrader autograde` and formgrader's button do the same and give the same scores.
    ADDRESS is a Dask scheduler's, `tls://HOST:PORT`: see docs/operators.md.
    """
    from rich.progress import Progress

    from autograder.course import open_course
    from autograder.zygote import start_zygote

    assignment = find_assignment(name)
    if workers and scheduler:
        raise CourseError("--workers are processes of this machine: leave it out.")
    folder = open_course(course_dir(course))
    _tell_misplaced(folder)
    students = _students(folder, name, student)
    start_zygote(assignment)

    from autograder.classroom import grade_class

    with Progress(console=err, transient=True) as bar:
        task = bar.add_task(name, total=len(students))

        def progress(who: str) -> None:
            bar.update(task, description=f"{name} [bold]{escape(who)}[/]")
            bar.advance(task)

        count = workers or os.cpu_count() or 1
        rows = grade_class(folder, assignment, students, force, progress, count, scheduler)
    print_rows(rows)
    for line in _equal_policies(folder, name):
        out.print(line, style="yellow", highlight=False, soft_wrap=True)
    out.print(f"Feedback: {folder.root / 'feedback'}", highlight=False, soft_wrap=True)
    return WANTING if any(row.failed for row in rows) else DONE


def _equal_policies(folder: Course, name: str) -> list[str]:
    """Who handed in the same weights: seeds follow from names, so there was one run."""
    if not any(folder.root.glob(f"submitted/*/{name}/*.safetensors")):
        return []
    from autograder.project import equal_weights

    found = equal_weights({each: folder.submitted(name, each) for each in folder.students(name)})
    return [f"{exercise}: equal weights from {escape(', '.join(who))}" for exercise, who in found]


def _tell_misplaced(folder: Course) -> None:
    """Name what was put where nothing is graded: its student would wait in vain."""
    found = folder.misplaced({each.name for each in assignments()})
    for path in found[:MANY_PLACES]:
        text = f"Not graded: {path}. What is graded lies in submitted/STUDENT/ASSIGNMENT/."
        err.print(escape(text), style="yellow", highlight=False, soft_wrap=True)
    if len(found) > MANY_PLACES:
        text = f"Nor are {len(found) - MANY_PLACES} more."
        err.print(text, style="yellow", highlight=False)


def _students(folder: Course, name: str, chosen: list[str] | None) -> list[str]:
    found = folder.students(name)
    if unknown := sorted(set(chosen or ()) - set(found)):
        raise CourseError(
            f"{unknown[0]}: nothing in {folder.submitted(name, unknown[0])}."
            f"{did_you_mean(unknown[0], found)}"
        )
    if not found:
        submitted = folder.root / "submitted"
        raise CourseError(
            f"Nobody has handed in {name}: {submitted} has no folder STUDENT/{name}. On a hub, "
            f"collect first: in the course folder, `nbgrader collect {name} --update`."
        )
    return chosen or found


def print_rows(rows: list[Row]) -> None:
    """The table of a graded class."""
    table = Table()
    table.add_column("student")
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("by hand", no_wrap=True)
    table.add_column("flags", no_wrap=True)
    table.add_column("what happened")
    for row in rows:
        score = f"{row.score:.4g} / {row.max_score:g}"
        table.add_row(
            escape(row.student),
            score,
            row.written,
            "\n".join(row.flags),
            escape("\n".join(row.happened)) or "all right",
        )
    out.print(table)

"""Verbs for grades that exist: export, extend, regrade."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
from autograder.config import (
    Assignment,
    CourseError,
    course_dir,
    did_you_mean,
    find_assignment,
)

if TYPE_CHECKING:
    from datetime import datetime

    from autograder.course import Course
    from autograder.export import Rows
    from autograder.regrade import Change, Report


@verb
def export(
    name: Annotated[str, typer.Argument(metavar="NAME|total", help="An assignment, or the total.")],
    format_: Annotated[
        Literal["csv", "moodle", "canvas"], typer.Option("--format", help="What the file is for.")
    ] = "csv",
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FILE",
            help="Where it goes. Default: COURSE/exports/NAME.csv, or NAME.FORMAT.csv.",
            show_default=False,
        ),
    ] = None,
    course: CourseOption = None,
) -> int:
    """Write grades into a file: for a spreadsheet, for Moodle, or for Canvas.

    `total` is the weighted total of the assignments whose deadline has passed. Exit status 1 if
    somebody's grade is not final yet; files for Moodle and Canvas leave them out.
    """
    from autograder.marks import read_class
    from autograder.total import counting

    folder = _class_folder(course)
    assignments = counting(folder) if name == "total" else [find_assignment(name)]
    people, marks = read_class(folder, assignments)
    rows, waiting = _rows(name == "total", format_, people, marks)
    suffix = "csv" if format_ == "csv" else f"{format_}.csv"
    path = to or folder.root / "exports" / f"{name}.{suffix}"
    _write(path, rows)
    for line in waiting:
        err.print(f"Not final: {escape(line)}", style="yellow", highlight=False, soft_wrap=True)
    out.print(f"Grades: {path}", highlight=False, soft_wrap=True)
    return WANTING if waiting else DONE


def _rows(whole: bool, format_: str, people: list, marks: list) -> tuple[Rows, list[str]]:
    """The file's rows, and who waits for what."""
    from autograder import export as exporting
    from autograder.total import canvas_total_id, total

    result = total(marks) if whole else None
    lines = exporting.lines(people, marks, result)
    waiting = [f"{line.person.id} ({line.waits})" for line in lines if line.waits]
    if result is not None:
        weights = [f"{name} {share:.1%}" for name, share in result.weights.items()]
        err.print(f"In the total: {', '.join(weights)}", highlight=False, soft_wrap=True)
    if format_ == "csv":
        if result is None:
            return exporting.assignment_csv(people, marks[0]), waiting
        return exporting.total_csv(people, result), waiting
    columns = exporting.columns(marks)
    if result is not None:
        columns.append(exporting.Column(exporting.TOTAL, 100, canvas_total_id()))
    kept = [line for line in lines if not line.waits and any(v is not None for v in line.values)]
    if not kept:
        raise CourseError("Nobody has a final grade: grade first, and by hand in formgrader.")
    if format_ == "canvas":
        return exporting.canvas(columns, kept), waiting
    if large := exporting.above_moodle_maximum(columns):
        err.print(
            f"Moodle refuses grades above 100 unless the site allows them: {', '.join(large)}.",
            style="yellow",
            soft_wrap=True,
        )
    return exporting.moodle(columns, kept), waiting


@verb
def extend(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="The assignment.")] = None,
    student: Annotated[str | None, typer.Argument(metavar="[STUDENT]", help="Who.")] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="DATE", help="2026-09-24, or 2026-09-24T18:00."),
    ] = None,
    days: Annotated[
        int | None, typer.Option("--days", metavar="N", min=1, help="Days after the deadline.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the extension back.")] = False,
    json_: JsonOption = False,
    course: CourseOption = None,
) -> int:
    """Give a student more time for an assignment, or list who has more time.

    A date alone means the deadline's time of day. Grading, the late policy and nbgrader's own tools
    go by it. For what is graded already the penalty changes at once; publish feedback anew.
    """
    from autograder import extensions

    folder = _class_folder(course)
    assignment = find_assignment(name) if name else None
    if assignment is None or student is None:
        if until or days or remove:
            raise CourseError("Say which assignment and which student: course extend NAME STUDENT.")
        return _list_extensions(extensions.read(folder), name, json_)
    if (until is not None) + (days is not None) + remove != 1:
        raise CourseError("Say one of --until DATE, --days N and --remove.")
    end = None
    if until is not None:
        end = extensions.until_when(assignment, until)
    elif days is not None:
        end = assignment.due + timedelta(days=days)
    graded = _set_extension(folder, assignment, student, end)
    words = f"until {end:%d %B %Y, %H:%M %z}" if end else "no extension"
    out.print(f"{assignment.name}, {escape(student)}: {words}", highlight=False, soft_wrap=True)
    if graded:
        text = "It is graded already: the penalty is settled, the feedback is to be published anew."
        out.print(text, highlight=False, soft_wrap=True)
    return DONE


def _list_extensions(known: dict, name: str | None, json_: bool) -> int:
    rows = [
        {"assignment": assignment, "student": student, "until": until.isoformat()}
        for assignment, students in sorted(known.items())
        for student, until in sorted(students.items())
        if name in (None, assignment)
    ]
    if json_:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return DONE
    if not rows:
        out.print("No extensions.")
        return DONE
    table = Table(box=None)
    for heading in ("assignment", "student", "until"):
        table.add_column(heading)
    for row in rows:
        table.add_row(*map(escape, row.values()))
    out.print(table)
    return DONE


def _set_extension(
    folder: Course, assignment: Assignment, student: str, end: datetime | None
) -> bool:
    """Set it, in the gradebook as well; whether the student's submission is graded already."""
    from nbgrader.api import MissingEntry

    from autograder import extensions
    from autograder.classroom import gradebook, nbgrader_api, settle_penalty
    from autograder.marks import people

    api = nbgrader_api(folder)
    with gradebook(api) as book:
        known = {each.id for each in people(book)} | set(folder.students(assignment.name))
        if end is None:
            known |= set(extensions.read(folder).get(assignment.name, {}))
        if student not in known:
            raise CourseError(
                f"Nobody in the gradebook is called {student!r}."
                f"{did_you_mean(student, known)} Enter them in the course folder "
                "with `nbgrader db student add ID`, or the class with `nbgrader db student import`."
            )
        extensions.set_extension(folder, book, assignment, student, end)
    try:
        settle_penalty(api, assignment, student)
    except MissingEntry:
        return False
    return True


@verb
def regrade(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The assignment.")],
    exercise: Annotated[
        str | None,
        typer.Option("--exercise", metavar="ID", help="Only this one's score may change."),
    ] = None,
    student: Annotated[
        list[str] | None,
        typer.Option("--student", metavar="ID", help="Only this one; may be repeated."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, help="Processes; by default one per core."),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FILE",
            help="The report, as .csv and .json. Default: COURSE/regrades/NAME-TIME; none "
            "with --dry-run.",
            show_default=False,
        ),
    ] = None,
    course: CourseOption = None,
) -> int:
    """Grade again after a suite was mended, and report whose score changed, and by which test.

    Points by hand and comments stay. Only those for whom something changes are written; what was
    handed in since is for `course grade`. Exit status 1 if somebody could not be graded again.
    """
    from rich.progress import Progress

    from autograder.regrade import regrade as grade_again

    folder, assignment = _class_folder(course), find_assignment(name)
    with Progress(console=err, transient=True) as bar:
        task = bar.add_task(name, total=len(student) if student else None)
        report = grade_again(
            folder,
            assignment,
            student,
            exercise,
            dry_run,
            workers or os.cpu_count() or 1,
            lambda who: bar.update(task, advance=1, description=f"{name} [bold]{escape(who)}[/]"),
        )
    _print_report(report)
    if to is not None or not dry_run:
        moment = report.when.replace(":", "").removesuffix("+0000")
        _write_report(report, to or folder.root / "regrades" / f"{name}-{moment}")
    return WANTING if report.left or report.failed else DONE


def _print_report(report: Report) -> None:
    if report.changes:
        table = Table()
        for heading in ("student", "exercise", "points", "what changed"):
            table.add_column(heading, no_wrap=heading == "points")
        for each in report.changes:
            tests = [
                f"{test.test}: {test.before} -> {test.after}"
                + "".join(f"\n  {message}" for message in _messages(test))
                for test in each.tests
            ]
            table.add_row(
                escape(each.student), each.exercise, _points(each), escape("\n".join(tests))
            )
        out.print(table)
    for who, reason in {**report.left, **report.failed}.items():
        err.print(f"{escape(who)}: {escape(reason)}", style="yellow", soft_wrap=True)
    students = len({each.student for each in report.changes})
    would = "would change" if report.dry_run else "changed"
    out.print(f"{students} of {report.compared} students {would}.", highlight=False)


def _messages(test) -> list[str]:  # type: ignore[no-untyped-def]
    if test.message_before == test.message_after:
        return []
    pairs = (("was", test.message_before), ("is", test.message_after))
    return [f"{word}: {message}" for word, message in pairs if message]


def _points(change: Change) -> str:
    from autograder.regrade import difference

    before, after = ("by hand" if x is None else f"{x:.4g}" for x in (change.before, change.after))
    hand = ", points by hand count" if change.by_hand else ""
    return f"{before} -> {after} ({difference(change):+.4g}{hand})"


def _write_report(report: Report, path: Path) -> None:
    from autograder.regrade import report_csv

    if path.suffix in (".csv", ".json"):
        path = path.with_suffix("")
    _write(path.with_name(f"{path.name}.csv"), report_csv(report))
    whole = json.dumps(report.as_dict(), indent=1, ensure_ascii=False) + "\n"
    _write_text(path.with_name(f"{path.name}.json"), whole)
    out.print(f"Report: {path}.csv and .json", highlight=False, soft_wrap=True)


def _write(path: Path, rows: Rows) -> None:
    from autograder.export import text_of

    _write_text(path, text_of(rows))


def _write_text(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="")
    except OSError as error:
        raise CourseError(f"{path} cannot be written: {error.strerror}.") from error


def _class_folder(option: Path | None) -> Course:
    """The course folder, which must be there: these verbs make none."""
    from autograder.course import Course

    folder = Course(course_dir(option))
    if not folder.config_file.is_file():
        raise CourseError(
            f"{folder.root} is no course folder: name it with --course DIR, or set COURSE_DIR."
        )
    return folder

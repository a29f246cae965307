"""The command line: `course`. Verbs import what they need when they run."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder.config import Assignment, CourseError, assignments, course_dir, find_assignment

if TYPE_CHECKING:
    from autograder.classroom import Row
    from autograder.course import Course
    from autograder.results import Result

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
    table = Table(box=None, caption="points: by machine + by hand", caption_justify="left")
    for heading in ("name", "title", "due", "exercises", "points"):
        table.add_column(heading, no_wrap=heading != "title")
    for row in rows:
        table.add_row(
            row["name"],
            escape(row["title"]),
            row["due"][:10],
            str(len(row["exercises"]) or "to come"),
            f"{row['points']:g} + {row['manual_points']:g}",
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


@verb
def check(
    names: NamesArgument = None,
    exercise: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this exercise.", show_default=False)
    ] = None,
    keys: Annotated[int, typer.Option(metavar="N", help="How many keys to try.")] = 3,
    json_: JsonOption = False,
    course: CourseOption = None,
) -> int:
    """Prove the hidden suites: reference full, stub zero, mutants lose, rewrites pass."""
    from autograder import check as checker

    key_list = [f"check-{number + 1}".encode() for number in range(keys)]
    todo = chosen(names)
    reports: dict[str, Any] = {}
    with err.status(f"checking {len(todo)} assignments (a minute or two each)"):
        for name, report in checker.check_all(todo, key_list, exercise):
            reports[name] = report
            if not json_:
                out.print(_check_table(name, report))
    if json_:
        print(json.dumps(reports, indent=2, ensure_ascii=False))
    found = [f"{name}: {text}" for name, row in reports.items() for text in checker.problems(row)]
    for problem in found:
        err.print(escape(problem), style="red", highlight=False, soft_wrap=True)
    return WANTING if found else DONE


def _check_table(name: str, report: dict[str, Any]) -> Table:
    table = Table(title=name, title_justify="left")
    table.add_column("exercise", no_wrap=True)
    for heading in ("points", "reference", "stub", "mutants caught", "rewrites kept"):
        table.add_column(heading, justify="right")
    for exercise, row in report.items():
        points = row["points"]
        caught = sum(score < points for score in row["mutants"].values())
        kept = sum(score == points for score in row["rewrites"].values())
        table.add_row(
            exercise,
            f"{points:g}",
            f"{row['reference']:g}",
            f"{row['stub']:g}",
            f"{caught} of {len(row['mutants'])}",
            f"{kept} of {len(row['rewrites'])}",
        )
    return table


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
    from autograder.course import Course, key_for_scoring
    from autograder.grade import GRADED, score_files

    which = find_assignment(assignment)
    folder = course_dir(course)
    versions = Course(folder).versions(which.name)
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
        failed = [test.message for test in each.tests if test.outcome == "failed"]
        table.add_row(name, points, escape("\n".join(failed)))
    out.print(table)
    for note in incidents.notes(result):
        out.print(f"  {escape(note)}", style="yellow", highlight=False)


@verb
def grade(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The assignment.")],
    student: Annotated[
        list[str] | None,
        typer.Option("--student", metavar="ID", help="Only this one; may be repeated."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Grade again what was graded already.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, help="Processes; by default one per core."),
    ] = None,
    course: CourseOption = None,
) -> int:
    """Grade what was handed in, into the gradebook, and write feedback.

    Reads COURSE/submitted/STUDENT/NAME. What was graded before and not handed in again is left
    alone. `nbgrader autograde` and formgrader's button do the same and give the same scores.
    """
    from rich.progress import Progress

    from autograder.classroom import grade_class
    from autograder.course import open_course

    assignment = find_assignment(name)
    folder = open_course(course_dir(course))
    students = _students(folder, name, student)
    with Progress(console=err, transient=True) as bar:
        task = bar.add_task(name, total=len(students))

        def progress(who: str) -> None:
            bar.update(task, description=f"{name} [bold]{escape(who)}[/]")
            bar.advance(task)

        count = workers or os.cpu_count() or 1
        rows = grade_class(folder, assignment, students, force, progress, count)
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


def _students(folder: Course, name: str, chosen: list[str] | None) -> list[str]:
    found = folder.students(name)
    if unknown := sorted(set(chosen or ()) - set(found)):
        raise CourseError(f"{', '.join(unknown)}: nothing in {folder.submitted(name, unknown[0])}.")
    if not found:
        submitted = folder.root / "submitted"
        raise CourseError(f"Nobody has handed in {name}: {submitted} has no folder STUDENT/{name}.")
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
            ", ".join(row.flags),
            escape("\n".join(row.happened)) or "all right",
        )
    out.print(table)


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


@verb
def bench(
    name: Annotated[str, typer.Argument(metavar="[project|grading]", help="What to measure.")],
    python: Annotated[
        str, typer.Option("--python", metavar="PATH", help="An interpreter that has TRL as well.")
    ] = sys.executable,
    steps: Annotated[int, typer.Option(metavar="N", help="Timed steps of every run.")] = 20,
    rounds: Annotated[int, typer.Option(metavar="N", help="Runs of each side, in turns.")] = 3,
    assignment: Annotated[
        str, typer.Option("--assignment", metavar="NAME", help="What the class hands in.")
    ] = "01_tokenizer",
    students: Annotated[int, typer.Option(metavar="N", help="Size of the class.")] = 300,
    peers: Annotated[int, typer.Option(metavar="N", help="What the peers are timed on.")] = 12,
    json_: JsonOption = False,
    course: CourseOption = None,
) -> int:
    """Measure side by side with peers.

    project: DPO and RLOO with the project's code and with TRL's trainers, one thread, float32;
    tokens per second of CPU time, and peak memory of the process.

    grading: a class graded by `course grade`, by the same tests without sandbox or gradebook, and
    by stock nbgrader; CPU seconds of the whole machine, so run nothing else.
    """
    if name == "project":
        return _bench_project(python, steps, rounds, json_)
    if name == "grading":
        return _bench_grading(find_assignment(assignment), students, peers, json_)
    raise CourseError(f"There is no benchmark of {name!r}: `course bench project` or `grading`.")


def _bench_grading(assignment: Assignment, students: int, peers: int, json_: bool) -> int:
    from dataclasses import asdict

    from autograder import bench_grading

    with err.status(f"grading {students} submissions of {assignment.name}, some minutes"):
        costs = bench_grading.compare(assignment, students, peers)
    if json_:
        print(json.dumps([asdict(cost) for cost in costs], indent=2))
        return DONE
    table = Table(box=None, title=assignment.name, title_justify="left")
    for heading in ("side", "submissions", "CPU s each", "s each"):
        table.add_column(heading, justify="left" if heading == "side" else "right")
    for cost in costs:
        table.add_row(cost.side, str(cost.submissions), f"{cost.cpu:.3f}", f"{cost.wall:.3f}")
    out.print(table)
    return DONE


def _bench_project(python: str, steps: int, rounds: int, json_: bool) -> int:
    from autograder import bench as benchmark

    with err.status("training, some minutes"):
        report = benchmark.compare(python, steps, rounds)
    if json_:
        print(json.dumps(report, indent=2))
        return DONE
    table = Table(box=None)
    for heading in ("", "side", "tokens/s", "s/step", "peak MB"):
        table.add_column(heading, justify="right" if heading not in ("", "side") else "left")
    for method, row in report.items():
        for side in benchmark.SIDES:
            figures = row[side]
            table.add_row(
                method.upper() if side == "ours" else "",
                side,
                f"{figures['tokens_per_second']:.0f}",
                f"{figures['seconds_per_step']:.2f}",
                f"{figures['peak_mb']:.0f}",
            )
        table.add_row("", "ratio", f"{row['speed']:.2f}", "", f"{row['memory']:.2f}", style="bold")
    out.print(table)
    return DONE


@verb
def doctor(course: CourseOption = None) -> int:
    """Say what is wrong with this installation, and what to do about it."""
    from autograder.doctor import examine

    status = DONE
    for finding in examine(course_dir(course)):
        colour = "red" if finding.advice else "green"
        mark = "\N{BALLOT X}" if finding.advice else "\N{CHECK MARK}"
        line = f"[{colour}]{mark}[/] {finding.what}: {escape(finding.found)}"
        out.print(line, highlight=False, soft_wrap=True)
        if finding.advice:
            status = WANTING
            out.print(f"  {escape(finding.advice)}", highlight=False, soft_wrap=True)
    return status


def _short(assignment: Assignment, path: Path) -> str:
    return str(path.relative_to(assignment.root))


if __name__ == "__main__":
    app()

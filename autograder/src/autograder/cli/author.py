"""Verbs of the author: list, build, check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from autograder.cli.base import (
    DONE,
    WANTING,
    CourseOption,
    JsonOption,
    NamesArgument,
    chosen,
    err,
    out,
    verb,
)
from autograder.config import Assignment


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
    from autograder.build import read_source

    key_list = [f"check-{number + 1}".encode() for number in range(keys)]
    todo = chosen(names)
    for assignment in todo:
        read_source(assignment)
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
            "-" if row["stub"] is None else f"{row['stub']:g}",
            f"{caught} of {len(row['mutants'])}",
            f"{kept} of {len(row['rewrites'])}",
        )
    return table


def _short(assignment: Assignment, path: Path) -> str:
    return str(path.relative_to(assignment.root))

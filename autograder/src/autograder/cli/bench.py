"""`course bench`."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.table import Table

from autograder.cli.base import (
    DONE,
    CourseOption,
    JsonOption,
    err,
    out,
    verb,
)
from autograder.config import CourseError, find_assignment

# One with little to compute, one with torch whose floor is above half a second.
GRADED = ("01_tokenizer", "11_copg")


@verb
def bench(
    name: Annotated[str, typer.Argument(metavar="[project|grading]", help="What to measure.")],
    python: Annotated[
        str, typer.Option("--python", metavar="PATH", help="An interpreter that has TRL as well.")
    ] = sys.executable,
    steps: Annotated[int, typer.Option(metavar="N", help="Timed steps of every run.")] = 20,
    rounds: Annotated[int, typer.Option(metavar="N", help="Runs of each side, in turns.")] = 3,
    assignment: Annotated[
        list[str] | None,
        typer.Option(
            "--assignment",
            metavar="NAME",
            help=f"What the class hands in; may be repeated. By default {' and '.join(GRADED)}.",
        ),
    ] = None,
    students: Annotated[int, typer.Option(metavar="N", help="Size of the class.")] = 300,
    peers: Annotated[int, typer.Option(metavar="N", help="What the peers are timed on.")] = 12,
    otter: Annotated[
        str | None,
        typer.Option("--otter", metavar="PATH", help="An interpreter with otter-grader as well."),
    ] = None,
    json_: JsonOption = False,
    course: CourseOption = None,
) -> int:
    """Measure side by side with peers.

    project: DPO and RLOO with the project's code and with TRL's trainers, one thread, float32;
    tokens per second of CPU time, and peak memory of the process.

    grading: a class graded by `course score` and `course grade`, by the same tests without sandbox
    or gradebook ("floor"), by stock nbgrader and, with --otter, by `otter run`. Only `course grade`
    takes the whole class. CPU seconds for each further submission and for starting; seconds on the
    clock for one submission (cold) and for each further one (warm); peak memory; in how many
    submissions a peer finds the same exercises wrong as the floor. Then where the time goes, and
    the wanted figures.
    """
    if name == "project":
        return _bench_project(python, steps, rounds, json_)
    if name == "grading":
        return _bench_grading(assignment or list(GRADED), students, peers, otter, json_)
    raise CourseError(f"There is no benchmark of {name!r}: `course bench project` or `grading`.")


def _bench_grading(
    names: list[str], students: int, peers: int, otter: str | None, json_: bool
) -> int:
    from autograder import bench_grading
    from autograder.bench_grading.peers import HOW

    chosen = [find_assignment(name) for name in names]
    with err.status(f"grading {students} submissions of {' and '.join(names)}; this takes long"):
        report = bench_grading.compare(chosen, students, peers, otter)
    console = err if json_ else out  # it took long: JSON for a program, tables for who waited
    if json_:
        print(json.dumps(report, indent=2))
    console.print(
        f"{report['cores']} cores, load {report['load']:.1f} before; "
        f"CPU seconds of the {report['counted']}",
        highlight=False,
    )
    for each in report["assignments"]:
        console.print(f"\n[bold]{each['assignment']}[/]", highlight=False)
        for table in (_sides(each["sides"]), _parts(each["parts"]), _figures(each["figures"])):
            console.print(table, "")
    if not otter:
        console.print(f"otter run is left out: {HOW}.", highlight=False)
    return DONE


def _sides(sides: list[dict[str, Any]]) -> Table:
    table = _table(
        *("side", "graded", "CPU s each", "of it writing", "CPU s once"),
        *("s cold", "s warm", "s in all", "MB", "as floor"),
    )
    for side in sides:
        table.add_row(
            side["side"],
            str(side["submissions"]),
            f"{side['cpu']:.3f}",
            "" if side["own"] is None else f"{side['own']:.3f}",
            f"{side['start']:.2f}",
            "" if side["cold"] is None else f"{side['cold']:.2f}",
            f"{side['warm']:.2f}",
            f"{side['wall']:.1f}",
            "" if side["peak_mb"] is None else f"{side['peak_mb']:.0f}",
            "" if side["agreed"] is None else str(side["agreed"]),
        )
    return table


def _parts(parts: list[dict[str, Any]]) -> Table:
    table = _table("where the time goes", "CPU s each")
    for part in parts:
        table.add_row(part["what"], f"{part['cpu']:.3f}")
    return table


def _figures(figures: list[dict[str, Any]]) -> Table:
    table = _table("figure", "measured", "at most", "")
    for each in figures:
        wanted = "" if each["wanted"] is None else f"{each['wanted']:g}"
        table.add_row(each["what"], f"{each['measured']:.3g}", wanted, each["verdict"])
    return table


def _table(first: str, *others: str) -> Table:
    """A table of figures: only the first column is text."""
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    table.add_column(first, no_wrap=True)
    for heading in others:
        table.add_column(heading, justify="right")
    return table


def _bench_project(python: str, steps: int, rounds: int, json_: bool) -> int:
    from autograder import bench_project as benchmark

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

"""`course bench`."""

from __future__ import annotations

import json
import sys
from typing import Annotated

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
from autograder.config import Assignment, CourseError, find_assignment


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

    grading: a class graded by `course score` and `course grade`, by the same tests without sandbox
    or gradebook ("floor"), and by stock nbgrader; CPU seconds for each further submission, how much
    that is above the floor, CPU seconds for starting, and peak memory. Only `course grade` takes
    the whole class.
    """
    if name == "project":
        return _bench_project(python, steps, rounds, json_)
    if name == "grading":
        return _bench_grading(find_assignment(assignment), students, peers, json_)
    raise CourseError(f"There is no benchmark of {name!r}: `course bench project` or `grading`.")


def _bench_grading(assignment: Assignment, students: int, peers: int, json_: bool) -> int:
    from autograder import bench_grading

    with err.status(f"grading {students} submissions of {assignment.name}, some minutes"):
        report = bench_grading.compare(assignment, students, peers)
    if json_:
        print(json.dumps(report, indent=2))
        return DONE
    out.print(
        f"{assignment.name}: {report['cores']} cores, load {report['load']:.1f} before; "
        f"CPU seconds of the {report['counted']}",
        highlight=False,
    )
    table = Table(box=None)
    for heading in ("side", "submissions", "CPU s each", "above", "CPU s once", "s in all", "MB"):
        table.add_column(heading, justify="left" if heading == "side" else "right")
    floor = report["sides"][0]["cpu"]
    for side in report["sides"]:
        table.add_row(
            side["side"],
            str(side["submissions"]),
            f"{side['cpu']:.3f}",
            f"{side['cpu'] - floor:.3f}",
            f"{side['start']:.2f}",
            f"{side['wall']:.1f}",
            f"{side['peak_mb']:.0f}" if side["peak_mb"] else "",
        )
    out.print(table)
    return DONE


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

"""The grader against the least that grading can cost, and against stock nbgrader and otter-grader.

One class of varied submissions (the reference, with up to two exercises answered as in the zoo) is
graded by

    floor                  the same cells and the same tests in one warm process, without sandbox
    course score           in the sandbox, without gradebook
    course grade           with gradebook and feedback; one and two workers
    nbgrader               stock `nbgrader autograde` and `nbgrader generate_feedback`: a kernel for
                           each notebook, which runs the hidden tests itself
    otter run              the same with otter-grader: a process and a kernel for each notebook

Every command but `otter run` takes one submission and then many: the difference is what each
further submission costs, the rest is what starting costs. Times are CPU seconds of the command and
of all processes that it starts, counted by a control group of its own, so other work on the machine
does not count (it still disturbs caches). Where no group can be made, the whole machine is counted.
Half of the floor is timed before `course grade` with one worker and half after it, because the
speed of a machine changes within minutes, and the difference of the two is what is wanted.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from autograder import build
from autograder.bench_grading import ours, peers, verdict
from autograder.bench_grading.measure import counted, together
from autograder.bench_grading.ours import submissions
from autograder.config import Assignment, CourseError

__all__ = ["compare", "submissions"]


def compare(
    assignments: list[Assignment], students: int, timed: int, otter: str | None = None
) -> dict[str, Any]:
    """Grade the same class with every side, one assignment after the other.

    Args:
        students: size of the class that the floor and this grader take.
        timed: how many of them nbgrader and otter-grader take; at least 2.
        otter: an interpreter that has otter-grader and this course; without it otter is left out.

    Returns:
        {"cores", "load", "counted", "assignments": [{"assignment", "sides": [Cost as dict],
        "parts": [Part as dict], "figures": [Figure as dict, with its "verdict"]}]}

    Raises:
        CourseError: a side failed, or the floor finds the reference wrong.
    """
    if min(students, timed) < 2:
        raise CourseError("A class has at least 2 submissions, for every side.")
    if otter:
        peers.check_otter(otter)
    return {
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "counted": counted(),
        "assignments": [_compare(each, students, timed, otter) for each in assignments],
    }


def _compare(
    assignment: Assignment, students: int, timed: int, otter: str | None
) -> dict[str, Any]:
    build.write(assignment)
    notebooks = list(islice(submissions(assignment), students))
    few = notebooks[:timed]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        score = ours.score(assignment, notebooks, folder)
        half = students // 2
        before, wrong = ours.floor(assignment, notebooks[:half])
        one, outcome = ours.grade(assignment, notebooks, 1, folder / "grade-1")
        after, rest = ours.floor(assignment, notebooks[half:])
        floor, wrong = together(before, after), wrong + rest
        two, again = ours.grade(assignment, notebooks, 2, folder / "grade-2")
        theirs = peers.stock(assignment, few, wrong[:timed], folder / "stock")
        if otter:
            theirs.append(peers.otter(otter, assignment, few, wrong[:timed], folder / "otter"))
    changed = sum(again[student] != found for student, found in outcome.items())
    costs = [floor, score, one, two, *theirs]
    figures = verdict.figures(assignment.name, costs, changed)
    return {
        "assignment": assignment.name,
        "sides": [asdict(cost) for cost in costs],
        "parts": [asdict(part) for part in verdict.parts(costs)],
        "figures": [{**asdict(each), "verdict": each.verdict} for each in figures],
    }

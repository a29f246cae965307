"""The grader against the least that grading can cost, and against stock nbgrader.

One class of varied submissions (the reference, with up to two exercises answered as in the zoo) is
graded by

    floor                  the same cells and the same tests in one warm process, without sandbox
    course score           in the sandbox, without gradebook
    course grade           with gradebook and feedback; one and two workers
    nbgrader               stock `nbgrader autograde` and `nbgrader generate_feedback`: a kernel for
                           each notebook, which runs the hidden tests itself

Every command is run on one submission and on many: the difference is what each further submission
costs, the rest is what starting costs. Times are CPU seconds of the command and of all processes
that it starts, counted by a control group of its own, so other work on the machine does not count
(it still disturbs caches). Where no group can be made, the whole machine is counted.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbformat import NotebookNode

from autograder import build, cells
from autograder.check import Answer, load_zoo
from autograder.config import Assignment, CourseError
from autograder.course import Course, open_course
from autograder.local import failures, run_cells
from autograder.nbgrader_parts.install import add_scripts_to_path
from autograder.scoring import Suite, with_suite
from autograder.submission import graded_cells

MAX_CHANGED = 2
SAMPLE_SECONDS = 0.5


@dataclass(frozen=True)
class Cost:
    """What one side took.

    Attributes:
        submissions: how many it graded.
        cpu: CPU seconds for each further submission.
        start: CPU seconds for starting, and whatever is done once for a class.
        wall: seconds on the clock for all of them.
        peak_mb: most memory of all its processes, shared pages counted once; 0 if not looked at.
    """

    side: str
    submissions: int
    cpu: float
    start: float
    wall: float
    peak_mb: float = 0.0


@dataclass(frozen=True)
class _Run:
    cpu: float
    wall: float
    peak_mb: float


def compare(assignment: Assignment, students: int, peers: int) -> dict[str, Any]:
    """Grade the same class with every side.

    Args:
        students: size of the class that `course grade` takes.
        peers: how many of them the other sides take; at least 2.

    Returns:
        {"assignment", "cores", "load", "counted", "sides": [Cost as dict]}

    Raises:
        CourseError: a side failed, or the number of workers changed a score.
    """
    build.write(assignment)
    notebooks = list(islice(submissions(assignment), students))
    few = notebooks[:peers]
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        costs = [_floor(assignment, few), _score(assignment, few, folder)]
        outcomes = []
        for workers in (1, 2):
            cost, outcome = _grade(assignment, notebooks, workers, folder / f"grade-{workers}")
            costs.append(cost)
            outcomes.append(outcome)
        if outcomes[0] != outcomes[1]:
            raise CourseError("One worker and two workers do not give the same scores.")
        costs += _stock(assignment, few, folder / "stock")
    return {
        "assignment": assignment.name,
        "cores": len(os.sched_getaffinity(0)),
        "load": load,
        "counted": "command" if _groups() else "machine",
        "sides": [asdict(cost) for cost in costs],
    }


def submissions(assignment: Assignment) -> Iterator[NotebookNode]:
    """Notebooks without end, the same every time: the reference, some exercises as in the zoo."""
    source = nbformat.read(assignment.source, as_version=4)
    zoo: dict[str, list[Answer]] = {}
    for answer in load_zoo(assignment):
        zoo.setdefault(answer.exercise, []).append(answer)
    for number in count():
        chance = random.Random(number)
        changed = chance.sample(sorted(zoo), min(chance.randint(0, MAX_CHANGED), len(zoo)))
        answers = {name: chance.choice(zoo[name]).source for name in changed}
        notebook = nbformat.from_dict(source)
        for cell in notebook.cells:
            if cells.is_solution(cell):
                cell.source = answers.get(cells.grade_id(cell) or "", cell.source)
        yield notebook


# --- the sides ----------------------------------------------------------------------------


def _floor(assignment: Assignment, notebooks: list[NotebookNode]) -> Cost:
    found: list[Cost] = []

    def work(suite: Suite) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            failures(suite, run_cells(graded_cells(notebooks[0])))  # warm
            cpu, wall = time.process_time(), time.monotonic()
            for notebook in notebooks:
                failures(suite, run_cells(graded_cells(notebook)))
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        found.append(Cost("floor", len(notebooks), cpu / len(notebooks), 0.0, wall))

    with_suite(assignment, work)
    return found[0]


def _score(assignment: Assignment, notebooks: list[NotebookNode], folder: Path) -> Cost:
    paths = []
    for number, notebook in enumerate(notebooks):
        paths.append(str(folder / f"{number}.ipynb"))
        nbformat.write(notebook, paths[-1])

    def run(number: int) -> _Run:
        command = _course("score", "--assignment", assignment.name, "--json", *paths[:number])
        return _measured(command, assignment.root, folder)

    return _cost("course score", len(notebooks), run)


def _grade(
    assignment: Assignment, notebooks: list[NotebookNode], workers: int, folder: Path
) -> tuple[Cost, dict[str, Any]]:
    """The cost of `course grade`, and what it found for each student."""

    def root(number: int) -> Path:
        return folder / str(number)

    def run(number: int) -> _Run:
        course = open_course(root(number), development=True)
        for name, notebook in zip(_names(number), notebooks, strict=False):
            path = course.submitted(assignment.name, name) / f"{assignment.notebook}.ipynb"
            path.parent.mkdir(parents=True)
            nbformat.write(notebook, path)
        command = _course("grade", assignment.name, "--workers", str(workers))
        return _measured(command, assignment.root, root(number), memory=True)

    side = f"course grade, {workers} worker{'s' if workers > 1 else ''}"
    cost = _cost(side, len(notebooks), run)
    return cost, _outcome(Course(root(len(notebooks))), assignment)


def _stock(assignment: Assignment, notebooks: list[NotebookNode], folder: Path) -> list[Cost]:
    """nbgrader as it comes."""
    name, file = assignment.name, f"{assignment.notebook}.ipynb"
    autograde, feedback = {}, {}
    for number in (1, len(notebooks)):
        root = folder / str(number)
        source = root / "source" / name / file
        source.parent.mkdir(parents=True)
        nbformat.write(_with_tests(nbformat.read(assignment.source, as_version=4), name), source)
        _measured(_nbgrader("generate_assignment", name), root, root)
        for student, notebook in zip(_names(number), notebooks, strict=False):
            path = root / "submitted" / student / name / file
            path.parent.mkdir(parents=True)
            nbformat.write(_with_tests(notebook, name), path)
        limit = "--ExecutePreprocessor.timeout=300"
        autograde[number] = _measured(_nbgrader("autograde", name, limit), root, root)
        feedback[number] = _measured(_nbgrader("generate_feedback", name), root, root)
    return [
        _cost("nbgrader autograde", len(notebooks), autograde.__getitem__),
        _cost("nbgrader generate_feedback", len(notebooks), feedback.__getitem__),
    ]


def _with_tests(notebook: NotebookNode, name: str) -> NotebookNode:
    """The notebook as stock nbgrader needs it: without plots and training, its test cells last.

    The first of them runs the hidden tests of all exercises, as `floor` does.
    """
    notebook = nbformat.from_dict(notebook)
    kept = [cell for cell in notebook.cells if not cells.is_skipped(cell)]
    tests = [cell for cell in kept if cells.is_test(cell)]
    for cell in tests:
        cell.source = f"assert {cells.exercise_of(cell)!r} not in failed, failed"
    tests[0].source = (
        "from autograder.local import failures_here\n"
        f"failed = failures_here({name!r}, globals())\n{tests[0].source}"
    )
    notebook.cells = [cell for cell in kept if not cells.is_test(cell)] + tests
    return notebook


def _names(number: int) -> list[str]:
    return [f"s{index:04d}" for index in range(number)]


def _outcome(course: Course, assignment: Assignment) -> dict[str, Any]:
    """What the machine found for each student, read from the autograded notebooks."""
    file = f"{assignment.notebook}.ipynb"
    paths = {each: course.autograded(assignment.name, each) / file
             for each in course.students(assignment.name)}  # fmt: skip
    return {
        student: json.loads(path.read_text("utf-8"))["metadata"]["sft2rl"]["result"]["exercises"]
        for student, path in paths.items()
    }


# --- measuring ----------------------------------------------------------------------------


def _cost(side: str, number: int, run: Callable[[int], _Run]) -> Cost:
    """What a further submission costs, from a run on one and a run on `number`."""
    one, many = run(1), run(number)
    each = (many.cpu - one.cpu) / (number - 1)
    return Cost(side, number, each, one.cpu - each, many.wall, many.peak_mb)


def _course(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from autograder.cli import app; app()", *arguments]


def _nbgrader(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "nbgrader", *arguments]


def _measured(command: list[str], cwd: Path, course: Path, memory: bool = False) -> _Run:
    """Run a command to its end.

    Raises:
        CourseError: it failed.
    """
    add_scripts_to_path()
    env = {**os.environ, "OMP_NUM_THREADS": "1", "COURSE_DIR": str(course),
           "JUPYTER_CONFIG_DIR": str(course)}  # fmt: skip
    with _counter() as (enter, used):
        started = time.monotonic()
        process = subprocess.Popen(
            [*enter, *command], cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        peaks = [0.0]
        if memory:
            threading.Thread(target=_watch, args=(process.pid, peaks), daemon=True).start()
        _, errors = process.communicate()
        run = _Run(used(), time.monotonic() - started, peaks[0])
    if process.returncode:
        raise CourseError(f"{command[3:5]} failed: {errors[-1000:].decode('utf-8', 'replace')}")
    return run


def _watch(pid: int, peaks: list[float]) -> None:
    """Keep the most memory that a process and its descendants held, in MB."""
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        while root.is_running() and root.status() != psutil.STATUS_ZOMBIE:
            total = 0
            for each in [root, *root.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    total += each.memory_full_info().pss
            peaks[0] = max(peaks[0], total / 1e6)
            time.sleep(SAMPLE_SECONDS)


@contextlib.contextmanager
def _counter() -> Iterator[tuple[list[str], Callable[[], float]]]:
    """A prefix for a command, and the CPU seconds that the command and its descendants took."""
    parent = _groups()
    if parent is None:
        before = _busy()
        yield [], lambda: _busy() - before
        return
    group = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
    try:
        enter = ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
        yield enter, lambda: _used(group)
    finally:
        for _ in range(50):  # until the last process is gone
            with contextlib.suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.1)


def _used(group: Path) -> float:
    fields = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    return int(fields["usage_usec"]) / 1e6


def _groups() -> Path | None:
    """Where control groups (version 2) can be made; None if they cannot."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, folder, kind, *_ = line.split()
        if kind == "cgroup2" and os.access(folder, os.W_OK):
            return Path(folder)
    return None


def _busy() -> float:
    """CPU seconds that this machine has worked."""
    times = psutil.cpu_times()
    return times.user + times.nice + times.system

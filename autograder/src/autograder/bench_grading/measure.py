"""What a command costs: CPU seconds of all its processes, seconds on the clock, memory."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from autograder.config import CourseError
from autograder.nbgrader_parts.install import add_scripts_to_path

SAMPLE_SECONDS = 0.5


@dataclass(frozen=True)
class Cost:
    """What one side took.

    Attributes:
        submissions: how many it graded.
        cpu: CPU seconds for each further submission.
        start: CPU seconds for starting, and whatever is done once for a class.
        cold: seconds on the clock for one submission by itself; None where nothing is started.
        warm: seconds on the clock for each further submission.
        wall: seconds on the clock for all of them.
        own: CPU seconds of the command's first process for each further submission (for
            `course grade` the writer); None if not looked at.
        peak_mb: most memory of all its processes, shared pages counted once; None if not looked at.
        agreed: submissions in which it finds the same exercises wrong as the floor; None if the
            two do not use the same hidden inputs.
    """

    side: str
    submissions: int
    cpu: float
    start: float
    cold: float | None
    warm: float
    wall: float
    own: float | None = None
    peak_mb: float | None = None
    agreed: int | None = None


@dataclass(frozen=True)
class Run:
    """What one command took, as in `Cost`."""

    cpu: float
    wall: float
    own: float | None = None
    peak_mb: float | None = None


def cost(
    side: str, number: int, run: Callable[[int], Run], agreed: Callable[[], int] | None = None
) -> Cost:
    """What a further submission costs, from a run on one and a run on `number`."""
    one, many = run(1), run(number)
    each = (many.cpu - one.cpu) / (number - 1)
    own = None if many.own is None or one.own is None else (many.own - one.own) / (number - 1)
    return Cost(
        side, number, each, one.cpu - each,
        cold=one.wall, warm=(many.wall - one.wall) / (number - 1), wall=many.wall,
        own=own, peak_mb=many.peak_mb, agreed=agreed() if agreed else None,
    )  # fmt: skip


def together(first: Cost, second: Cost) -> Cost:
    """The cost of one side on all submissions, from two runs without a start on parts of them."""
    number = first.submissions + second.submissions
    cpu, warm = (
        (first.submissions * one + second.submissions * other) / number
        for one, other in ((first.cpu, second.cpu), (first.warm, second.warm))
    )
    return Cost(first.side, number, cpu, 0.0, None, warm, first.wall + second.wall)


def measured(command: list[str], cwd: Path, course: Path, watch: bool = False) -> Run:
    """Run a command to its end, with one thread.

    Args:
        command: a Python and its arguments.
        course: the folder of the class, for commands of the course and of Jupyter.
        watch: whether to look at its memory, and at its first process, too.

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
        watched = _Watched()
        if watch:
            threading.Thread(target=watched.follow, args=(process.pid,), daemon=True).start()
        _, errors = process.communicate()
        run = Run(used(), time.monotonic() - started, watched.own, watched.peak_mb)
    if process.returncode:
        said = errors[-1000:].decode("utf-8", "replace")
        raise CourseError(f"{' '.join(command[1:5])} failed: {said}")
    return run


@dataclass
class _Watched:
    """What is seen of a process while it runs, up to SAMPLE_SECONDS before its end."""

    own: float | None = None
    peak_mb: float | None = None

    def follow(self, pid: int) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            while root.is_running() and root.status() != psutil.STATUS_ZOMBIE:
                times = root.cpu_times()
                self.own = times.user + times.system
                total = 0
                for each in [root, *root.children(recursive=True)]:
                    with contextlib.suppress(psutil.Error):
                        total += each.memory_full_info().pss
                self.peak_mb = max(self.peak_mb or 0.0, total / 1e6)
                time.sleep(SAMPLE_SECONDS)


def counted() -> str:
    """What CPU seconds are counted of: a command with all that it starts, or this machine."""
    return "command" if _groups() else "machine"


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

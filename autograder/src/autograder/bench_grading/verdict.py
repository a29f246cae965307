"""Where the time goes, and each figure that the course wants beside the measured one."""

from __future__ import annotations

from dataclasses import dataclass

from autograder.bench_grading.measure import Cost

CLASS = 300


@dataclass(frozen=True)
class Part:
    """What a share of a submission's CPU time is spent on."""

    what: str
    cpu: float


@dataclass(frozen=True)
class Figure:
    """A measured figure, and the largest that is wanted (None: it is only printed)."""

    what: str
    measured: float
    wanted: float | None = None

    @property
    def verdict(self) -> str:
        if self.wanted is None:
            return ""
        return "reached" if self.measured <= self.wanted else "not reached"


def parts(costs: list[Cost]) -> list[Part]:
    """Differences of the sides, CPU seconds for each further submission."""
    side = {cost.side: cost for cost in costs}
    cpu = {cost.side: cost.cpu for cost in costs}
    one = side["course grade, 1 worker"]
    writer = one.own or 0.0
    found = [
        Part("the cells and the hidden tests themselves", cpu["floor"]),
        Part("sandbox, forks, protocol", one.cpu - writer - cpu["floor"]),
        Part("nbgrader's conversion, gradebook, feedback page", writer),
        Part("a second worker", cpu["course grade, 2 workers"] - one.cpu),
        Part("stock nbgrader: kernel, gradebook, page", _nbgrader(cpu) - cpu["floor"]),
    ]
    if "otter run" in cpu:
        found.append(Part("otter: a process and a kernel each", cpu["otter run"] - cpu["floor"]))
    return found


def figures(name: str, costs: list[Cost], changed: int) -> list[Figure]:
    """The figures of an assignment.

    Args:
        name: of the assignment; how long a class takes is wanted for 01_tokenizer only.
        costs: of all sides.
        changed: how many submissions one worker and two workers do not score alike.
    """
    side = {cost.side: cost for cost in costs}
    cpu = {cost.side: cost.cpu for cost in costs}
    floor, score = cpu["floor"], side["course score"]
    one, two = side["course grade, 1 worker"], side["course grade, 2 workers"]
    overhead = one.cpu - floor
    found = [
        Figure("course grade above the floor, CPU s each", overhead, 0.25),
        Figure("the same as a share of nbgrader's", overhead / (_nbgrader(cpu) - floor), 1 / 8),
    ]
    if "otter run" in cpu:
        found.append(
            Figure("the same as a share of otter's", overhead / (cpu["otter run"] - floor))
        )
    if floor >= 0.5:
        found.append(Figure("course grade in floors", one.cpu / floor, 1.5))
    if name == "01_tokenizer":
        minutes = ((two.cold or 0) + (CLASS - 1) * two.warm) / 60
        known = "" if two.submissions == CLASS else f" (reckoned from {two.submissions})"
        found.append(Figure(f"minutes for {CLASS} with 2 workers{known}", minutes, 3))
    return [
        *found,
        Figure("course score of one notebook, cold, s", score.cold or 0, 3),
        Figure("course score of a further notebook, s", score.warm, 1),
        Figure("memory of a further worker, MB", (two.peak_mb or 0) - (one.peak_mb or 0), 300),
        Figure("submissions that two workers score otherwise", changed, 0),
    ]


def _nbgrader(cpu: dict[str, float]) -> float:
    return cpu["nbgrader autograde"] + cpu["nbgrader generate_feedback"]

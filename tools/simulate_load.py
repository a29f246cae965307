"""Simulates a deadline: how long submissions wait for the grader, and what breaks first.

    course bench grading --json > bench.json
    python tools/simulate_load.py bench.json --json > load.json --plot docs/images/load.svg

Submissions arrive over a day, some evenly, the others ever more densely towards the deadline. Each
is scored by the first worker that is free, then entered into the gradebook by the one process that
writes it. A worker and the writer have a core each, so a CPU second takes a second. Both queues are
first come, first served, so the next start is the later of the arrival and the first free server:
no other events are needed, and the simulation is exact.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path

DAY = 86_400.0
# Assumptions, not measurements.
EVEN = 0.5  # share of a class that hands in evenly over the day
RUSH_HOURS = 1.5  # mean time before the deadline of the others
LOOPS = 0.02  # share of submissions with an endless loop
LOOP_SECONDS = 20.0  # two hidden tests of 10 CPU seconds, then the exercise is given up
SPREAD = 0.3  # of the logarithm of what a submission costs
CLASSES = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
WORKERS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True)
class Costs:
    """CPU seconds of one submission: in a worker, and in the process that writes."""

    score: float
    write: float


@dataclass(frozen=True)
class Outcome:
    """Seconds from handing in to feedback, and how busy the last hour was for each stage.

    Attributes:
        median, late, worst: of all submissions: half, 99 % and all of them have it by then.
        after_deadline: when the last feedback is there, in seconds after the deadline.
        waited_for: the stage that caused most of the waiting.
    """

    submissions: int
    workers: int
    median: float
    late: float
    worst: float
    after_deadline: float
    waited_for: str


def costs_of(report: dict) -> Costs:
    """From the JSON of `course bench grading`: those of the first assignment."""
    sides = {side["side"]: side for side in report["assignments"][0]["sides"]}
    grade = sides["course grade, 1 worker"]
    return Costs(grade["cpu"] - grade["own"], grade["own"])


def simulate(costs: Costs, submissions: int, workers: int, seed: int = 0) -> Outcome:
    """One day; the same seed gives the same day."""
    chance = random.Random(seed)
    arrivals = sorted(_arrival(chance) for _ in range(submissions))
    work = [_work(chance, costs.score) for _ in arrivals]
    scored, waited = serve(arrivals, work, workers)
    order = sorted(range(submissions), key=scored.__getitem__)
    done, queued = serve([scored[i] for i in order], [costs.write] * submissions, 1)
    delays = sorted(end - arrivals[i] for end, i in zip(done, order, strict=True))
    return Outcome(
        submissions,
        workers,
        delays[submissions // 2],
        delays[int(0.99 * submissions)],
        delays[-1],
        max(done[-1] - DAY, 0.0),
        "workers" if waited > queued else "writer",
    )


def serve(arrivals: list[float], work: list[float], servers: int) -> tuple[list[float], float]:
    """First come, first served: when each is done, and how long they waited in all."""
    free, waited, done = [0.0] * servers, 0.0, []
    for arrival, seconds in zip(arrivals, work, strict=True):
        start = max(arrival, heapq.heappop(free))
        waited += start - arrival
        done.append(start + seconds)
        heapq.heappush(free, done[-1])
    return done, waited


def _arrival(chance: random.Random) -> float:
    """Seconds since the day began; the deadline is its end."""
    if chance.random() < EVEN:
        return chance.uniform(0, DAY)
    return max(DAY - chance.expovariate(1 / (RUSH_HOURS * 3600)), 0.0)


def _work(chance: random.Random, mean: float) -> float:
    loop = LOOP_SECONDS if chance.random() < LOOPS else 0.0
    return mean * chance.lognormvariate(-(SPREAD**2) / 2, SPREAD) + loop


def plot(costs: Costs, path: Path) -> None:
    """The time until 99 % have feedback, against the size of the class."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.5))
    for workers in (1, 4, 16, 64):
        late = [simulate(costs, size, workers).late for size in CLASSES]
        axes.loglog(CLASSES, late, marker="o", label=f"{workers} worker{'s' * (workers > 1)}")
    for seconds, name in ((60, "a minute"), (3600, "an hour")):
        axes.axhline(seconds, color="0.7", linewidth=0.8)
        axes.text(CLASSES[0], seconds * 1.1, name, fontsize=8, color="0.4")
    axes.set_xlabel("submissions in a day")
    axes.set_ylabel("s until 99 % have feedback")
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench", type=Path, help="JSON of `course bench grading`")
    parser.add_argument("--plot", type=Path, help="write a picture")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--write", type=float, help="CPU seconds of the writer, to try a change")
    args = parser.parse_args()
    costs = costs_of(json.loads(args.bench.read_text("utf-8")))
    if args.write is not None:
        costs = Costs(costs.score, args.write)
    if args.plot:
        plot(costs, args.plot)
    rows = [simulate(costs, size, workers) for size in CLASSES for workers in WORKERS]
    if args.json:
        print(json.dumps({"costs": asdict(costs), "rows": [asdict(row) for row in rows]}, indent=1))
        return
    print(f"score {costs.score:.2f}, write {costs.write:.2f} CPU s each")
    print(f"{'class':>8} {'workers':>8} {'median':>8} {'99 %':>8} {'worst':>8} {'after':>8}  queue")
    for row in rows:
        print(
            f"{row.submissions:8} {row.workers:8} {row.median:8.0f} {row.late:8.0f} "
            f"{row.worst:8.0f} {row.after_deadline:8.0f}  {row.waited_for}"
        )


if __name__ == "__main__":
    main()

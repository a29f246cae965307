"""Results of the project that were computed beforehand with `python -m sft2rl.sweep`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sft2rl.textdata import DATA

RESULTS = DATA / "results.json"
LABELS = {
    "sft": "SFT on the best",
    "dpo": "DPO",
    "pg-mean": "PG, baseline = mean R",
    "pg-none": "PG, no baseline",
    "copg": "CoPG",
    "rloo": "RLOO, online",
}
# J - J(reference) that a policy handed in must reach for its last 2 + 2 points; docs/project.md
# says from which runs they follow.
THRESHOLDS = {
    "policy_dpo": (0.14, 0.27),
    "policy_pg": (0.14, 0.28),
    "policy_copg": (0.17, 0.34),
}
# Two-sided 95 % quantiles of Student's t, by degrees of freedom.
T_QUANTILE = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26}


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with a 95 % confidence interval.

    Over several seeds it is Student's; of one seed it is that of the evaluation alone, which does
    not contain the chance in pairs and batches.
    """

    mean: float
    half_width: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """Student's interval of at least two values."""
        n = len(values)
        mean = sum(values) / n
        variance = sum((value - mean) ** 2 for value in values) / (n - 1)
        return cls(mean, T_QUANTILE.get(n - 1, 1.96) * math.sqrt(variance / n), n)

    def __str__(self) -> str:
        return f"{self.mean:+.3f} ± {self.half_width:.3f}"


@dataclass(frozen=True)
class Results:
    """All figures of a sweep; `runs` has one dict per run, see `sft2rl.sweep`."""

    reference: dict[str, float]
    optimum: dict[str, float]
    runs: list[dict[str, Any]]
    texts: dict[str, list[str]]
    prompts: list[str]

    @property
    def names(self) -> list[str]:
        """The kinds of runs, in the order of their mean J."""
        names = sorted({run["name"] for run in self.runs})
        return sorted(names, key=lambda name: self.interval(name, "J").mean)

    def interval(self, name: str, figure: str) -> Interval:
        """A figure ("J", "kl", "reward", "win_rate", ...) over the seeds of one kind of run."""
        values = self.values(name, figure)
        if len(values) > 1:
            return Interval.of(values)
        return Interval(values[0], 1.96 * self.values(name, f"{figure}_se")[0], 1)

    def values(self, name: str, figure: str) -> list[float]:
        """A figure of each seed, in the order of the seeds."""
        chosen = sorted((r for r in self.runs if r["name"] == name), key=lambda r: r["seed"])
        return [run[figure] for run in chosen]

    def share(self, value: float) -> float:
        """Where a J stands between the reference (0) and the estimated optimum (1)."""
        return (value - self.reference["J"]) / (self.optimum["J"] - self.reference["J"])

    def table(self) -> str:
        """All kinds of runs, one per line, as text."""
        head = f"{'':16s} seeds {'J (95 %)':>17s}  share  {'R':>6s} {'KL':>6s}  win  VADER win"
        start = Interval(self.reference["J"], 1.96 * self.reference["J_se"], 1)
        rows = [head, _row("reference", self.reference, start, 0.0)]
        for name in self.names:
            J = self.interval(name, "J")
            figures = ("reward", "kl", "win_rate", "vader_win_rate")
            means = {each: self.interval(name, each).mean for each in figures}
            rows.append(_row(name, means, J, self.share(J.mean)))
        return "\n".join(rows)


def _row(name: str, means: dict[str, float], J: Interval, share: float) -> str:
    return (
        f"{name:16s} {J.count:5d} {J!s:>17s}  {share:5.2f}  {means['reward']:6.2f} "
        f"{means['kl']:6.2f}  {means['win_rate']:.2f}  {means['vader_win_rate']:.2f}"
    )


def load(path: Path = RESULTS) -> Results:
    """The shipped results, or those of a sweep of your own."""
    return Results(**json.loads(path.read_text("utf-8")))

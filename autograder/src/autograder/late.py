"""The late policy of course.toml, [late]: what a submission loses after its deadline.

Without the table nothing is lost, and late submissions are only marked. nbgrader applies the
policy (nbgrader_parts/late.py) when it grades and before it writes feedback, to the deadline that
holds for the student: the extension is nbgrader's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path

from autograder.config import CourseError, course_toml

DAY = 86_400


@dataclass(frozen=True)
class LatePolicy:
    """What is lost of the points that were reached, machine and hand together.

    Attributes:
        grace_minutes: so long after the deadline nothing is lost, nor marked late.
        percent_per_day: for each day begun; days count from the deadline.
        max_percent: no more than this is lost, up to `latest_days`.
        latest_days: what comes later counts nothing; None: there is no such day.
    """

    grace_minutes: float = 0
    percent_per_day: float = 0
    max_percent: float = 100
    latest_days: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.name == "latest_days":
                continue
            number = isinstance(value, int | float) and not isinstance(value, bool)
            top = 100 if "percent" in field.name else math.inf
            if not number or not 0 <= value <= top:
                range_ = "from 0 to 100" if top == 100 else "of 0 or more"
                raise CourseError(f"course.toml, [late]: {field.name} must be a number {range_}.")

    def is_late(self, seconds: float) -> bool:
        """Whether a submission so many seconds after its deadline is late."""
        return seconds > 60 * self.grace_minutes

    def lost(self, seconds: float) -> float:
        """The share of the points that is lost, from 0 to 1."""
        if not self.is_late(seconds):
            return 0.0
        if self.latest_days is not None and seconds > DAY * self.latest_days:
            return 1.0
        return min(self.percent_per_day * math.ceil(seconds / DAY), self.max_percent) / 100


def late_policy(root: Path | None = None) -> LatePolicy:
    """The policy of course.toml.

    Raises:
        CourseError: a setting is unknown or out of range.
    """
    table = course_toml(root).get("late", {})
    known = [field.name for field in fields(LatePolicy)]
    if unknown := sorted(set(table) - set(known)):
        names = ", ".join(known)
        raise CourseError(
            f"course.toml, [late]: unknown setting {unknown[0]!r}; there are {names}."
        )
    return LatePolicy(**table)

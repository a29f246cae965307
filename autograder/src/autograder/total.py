"""The course's total: which assignments count, and how much."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from autograder.config import Assignment, CourseError, assignments, course_toml
from autograder.course import Course
from autograder.marks import Marks, in_gradebook


@dataclass(frozen=True)
class Total:
    """The course's total: the weighted mean of the shares of points, in per cent.

    total = 100 * sum(weight * points / maximum) / sum(weight), over the assignments in the
    gradebook whose deadline has passed. Points are those after the late penalty; what was not
    handed in has 0. The weight of an assignment is its `weight` in course.toml; without weights,
    its maximum, so that every point counts the same.

    Attributes:
        weights: of the assignments that count, by name; they sum to 1.
    """

    marks: list[Marks]
    weights: dict[str, float]

    def of(self, student: str) -> float:
        """0 to 100, and more only with extra credit."""
        return 100 * sum(
            self.weights[each.assignment.name]
            * (each.by_student[student].points or 0.0)
            / each.max_points
            for each in self.marks
        )


def counting(course: Course, now: datetime | None = None) -> list[Assignment]:
    """The assignments that count in the total now.

    Raises:
        CourseError: there is none, or the weights are not in order.
    """
    check_weights(assignments())
    now = now or datetime.now(UTC)
    found = [each for each in in_gradebook(course) if each.due < now and each.weight != 0]
    if not found:
        raise CourseError(
            "No assignment counts yet: the total is of those in the gradebook whose deadline has "
            "passed (and whose weight in course.toml is not 0)."
        )
    return found


def total(marks: list[Marks]) -> Total:
    """The total over these assignments."""
    raw = {each.assignment.name: _weight(each) for each in marks if each.max_points > 0}
    whole = sum(raw.values())
    kept = [each for each in marks if each.assignment.name in raw]
    return Total(kept, {name: weight / whole for name, weight in raw.items()})


def _weight(marks: Marks) -> float:
    weight = marks.assignment.weight
    return marks.max_points if weight is None else float(weight)


def check_weights(listed: Iterable[Assignment]) -> None:
    """See that all have a weight or none has, and that each is a number of 0 or more.

    Raises:
        CourseError: they are not in order.
    """
    listed = list(listed)
    without = [each.name for each in listed if each.weight is None]
    if without and len(without) < len(listed):
        raise CourseError(
            f"course.toml gives a weight to some assignments and none to {', '.join(without)}: "
            "give one to each (0 if it does not count), or to none (then points count)."
        )
    for each in listed:
        weight = each.weight
        if weight is None:
            continue
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not weight >= 0:
            raise CourseError(
                f"course.toml: the weight of {each.name} must be a number of 0 or more."
            )


def canvas_total_id() -> int | None:
    """The number in Canvas of the column for the total: `canvas_total_id` of [course]."""
    return course_toml()["course"].get("canvas_total_id")

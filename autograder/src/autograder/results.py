"""What grading one notebook gives."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class TestResult:
    """One hidden test.

    Attributes:
        message: why it failed, one of the suite's fixed texts; empty when it passed.
        tried: what a failed test tried, without a full stop; empty where the message says it.
    """

    name: str
    outcome: Literal["passed", "failed"]
    weight: float
    message: str = ""
    tried: str = ""

    @property
    def text(self) -> str:
        """What people read: what was tried, and the message."""
        return f"{self.tried}. {self.message}" if self.tried else self.message


@dataclass
class ExerciseResult:
    """The share of passed weight times the points; `score` is None for manual review."""

    score: float | None
    max_score: float
    tests: list[TestResult] = field(default_factory=list)


@dataclass(frozen=True)
class Incident:
    """Something a TA should know. Codes are listed in docs/incidents.md."""

    code: str
    exercise: str | None
    detail: str


@dataclass
class Result:
    """The grade of one notebook, before it reaches a gradebook.

    Attributes:
        status: "graded", or the reason why there is no score.
        exercises: by exercise ID, in the notebook's order.
        manual: points of the hand-graded answers by ID.
        incidents: what a TA should know.
        outputs: nbformat outputs by index of the cell in the graded notebook.
    """

    status: str
    exercises: dict[str, ExerciseResult] = field(default_factory=dict)
    manual: dict[str, float] = field(default_factory=dict)
    incidents: list[Incident] = field(default_factory=list)
    outputs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def score(self) -> float:
        return sum(each.score or 0.0 for each in self.exercises.values())

    @property
    def max_score(self) -> float:
        return sum(each.max_score for each in self.exercises.values())

    def as_dict(self, notebook: str, assignment: str) -> dict[str, Any]:
        """The object that `course score --json` prints for one notebook."""
        return {
            "notebook": notebook,
            "assignment": assignment,
            "score": self.score,
            "max_score": self.max_score,
            "status": self.status,
            "exercises": {name: asdict(each) for name, each in self.exercises.items()},
            "manual": self.manual,
            "incidents": [asdict(each) for each in self.incidents],
        }

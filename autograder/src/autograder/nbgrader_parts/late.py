"""The course's late policy, as nbgrader asks for it."""

from __future__ import annotations

from nbgrader.plugins import LateSubmissionPlugin
from nbgrader.preprocessors import AssignLatePenalties
from traitlets import List

from autograder.late import late_policy


class CourseLatePolicy(LateSubmissionPlugin):
    """[late] of course.toml; `penalty_method` of nbgrader's own plugin is not used."""

    def late_submission_penalty(
        self, student_id: str, score: float, total_seconds_late: float
    ) -> float | None:
        """The points that are lost; None: the policy takes none."""
        return late_policy().lost(total_seconds_late) * score or None


class SettleLatePenalties(AssignLatePenalties):
    """The step of grading, once more before feedback: points by hand have come since."""

    # As in GetGrades: an exporter of HTML sets it, and would warn of a step that does not know it.
    display_data_priority = List(["text/html", "text/plain"]).tag(config=True)

"""The course's late policy, as nbgrader asks for it, and the step that applies it."""

from __future__ import annotations

from nbgrader.api import SubmittedNotebook
from nbgrader.plugins import LateSubmissionPlugin
from nbgrader.preprocessors import AssignLatePenalties

from autograder.late import late_policy


class CourseLatePolicy(LateSubmissionPlugin):
    """[late] of course.toml; `penalty_method` of nbgrader's own plugin is not used."""

    def late_submission_penalty(
        self, student_id: str, score: float, total_seconds_late: float
    ) -> float | None:
        """The points that are lost; None: the policy takes none."""
        return late_policy().lost(total_seconds_late) * score or None


class LatePenalty(AssignLatePenalties):
    """nbgrader's step, for a gradebook that is open already; whatever plugin is configured."""

    def settle(self, notebook: SubmittedNotebook) -> None:
        """Compute the penalty anew, from the scores in the gradebook; the caller commits."""
        late, penalty = notebook.assignment.total_seconds_late, None
        if late > 0:
            self.init_plugin()
            penalty = self.plugin_inst.late_submission_penalty(
                notebook.student.id, notebook.score, late
            )
            self.log.warning("%s is %s seconds late: penalty %s", notebook, late, penalty)
        if penalty is not None:
            penalty = self._check_late_penalty(notebook, penalty)
        notebook.late_submission_penalty = penalty

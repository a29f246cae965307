"""nbgrader's SaveAutoGrades step, replaced: scores come from our result, never from outputs."""

from __future__ import annotations

import math
from typing import Any

from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.preprocessors import SaveAutoGrades

from autograder import cells, incidents
from autograder.nbgrader_parts.book import CheckedGradebook, comments_of, grades_of
from autograder.nbgrader_parts.late import LatePenalty
from autograder.results import Result


class TrustedSaveAutoGrades(SaveAutoGrades):
    """Writes unrounded scores; a missing one means review by hand, never full marks.

    What is lost for being late is written with them.
    """

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        names = resources["nbgrader"]
        self.notebook_id, self.assignment_id = names["notebook"], names["assignment"]
        self.student_id = names["student"]
        converter = self.parent.parent
        with CheckedGradebook(names["db_url"], converter.coursedir.course_id) as self.gradebook:
            # nbgrader's own steps would open the gradebook once more each, and commit after every
            # cell.
            notebook = self.gradebook.find_submission_notebook(
                self.notebook_id, self.assignment_id, self.student_id
            )
            self.grades = grades_of(self.gradebook, notebook)
            self.comments = comments_of(self.gradebook, notebook)
            nb, resources = super(SaveAutoGrades, self).preprocess(nb, resources)
            self._review_what_is_missing(nb)
            self.gradebook.db.flush()  # of these scores a penalty is a share
            LatePenalty(parent=converter).settle(notebook)
            self.gradebook.db.commit()
        return nb, resources

    def _add_score(self, cell: NotebookNode, resources: dict[str, Any]) -> None:
        grade = self.grades.get(cells.grade_id(cell) or "")
        if grade is None:
            self.log.warning("%s is not in the gradebook", cells.grade_id(cell))
            return
        if cells.is_written(cell):
            grade.auto_score, _ = utils.determine_grade(cell, self.log)
        else:
            grade.auto_score = self._score(cell, resources, grade.max_score)
        grade.needs_manual_grade = grade.auto_score is None or grade.manual_score is not None

    def _score(
        self, cell: NotebookNode, resources: dict[str, Any], max_score: float
    ) -> float | None:
        """The exercise's share of the gradebook's points; None unless it is certain."""
        result = _result(resources)
        exercise = result.exercises.get(cells.exercise_of(cell) or "") if result else None
        if exercise is None or exercise.score is None or exercise.max_score <= 0:
            return None
        if exercise.max_score == max_score:
            score = exercise.score
        else:
            score = exercise.score / exercise.max_score * max_score
        return score if math.isfinite(score) and 0 <= score <= max_score else None

    def _add_comment(self, cell: NotebookNode, resources: dict[str, Any]) -> None:
        comment = self.comments.get(cells.grade_id(cell) or "")
        if comment is None:
            return
        unchanged = cells.nbgrader(cell).get("checksum") == utils.compute_checksum(cell)
        result = _result(resources)
        notes = incidents.notes(result, cells.grade_id(cell)) if result else []
        comment.auto_comment = " ".join([*(["No response."] if unchanged else []), *notes]) or None

    def _review_what_is_missing(self, nb: NotebookNode) -> None:
        """An exercise that this version of the notebook does not have is for a person."""
        present = {cells.grade_id(cell) for cell in nb.cells}
        for name, grade in self.grades.items():
            if name not in present:
                grade.auto_score, grade.needs_manual_grade = None, True


def _result(resources: dict[str, Any]) -> Result | None:
    """What SandboxExecute found in this very pass, or None if it did not run."""
    return resources.get("autograder", {}).get("result")

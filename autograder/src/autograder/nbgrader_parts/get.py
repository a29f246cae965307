"""nbgrader's GetGrades step, replaced: the same, with a few queries and a settled late penalty."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import GetGrades

from autograder.nbgrader_parts.book import CheckedGradebook, comments_of, grades_of
from autograder.nbgrader_parts.late import LatePenalty


class SettledGetGrades(GetGrades):
    """Grades and comments for a feedback page, and what is lost for being late.

    The penalty is computed anew: points by hand have come since the grading.
    """

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        names = resources["nbgrader"]
        converter = self.parent.parent
        with CheckedGradebook(names["db_url"], converter.coursedir.course_id) as book:
            notebook = book.find_submission_notebook(
                names["notebook"], names["assignment"], names["student"]
            )
            LatePenalty(parent=converter).settle(notebook)
            book.db.commit()
            self.grades, self.comments = grades_of(book, notebook), comments_of(book, notebook)
            nb, resources = super(GetGrades, self).preprocess(nb, resources)
            penalty = notebook.late_submission_penalty or 0
            resources["nbgrader"]["score"] = notebook.score - penalty
            resources["nbgrader"]["max_score"] = notebook.max_score
            resources["nbgrader"]["late_penalty"] = penalty
        return nb, resources

    def _get_comment(self, cell: NotebookNode, resources: dict[str, Any]) -> None:
        cell.metadata.nbgrader["comment"] = self.comments[cell.metadata.nbgrader.grade_id].comment

    def _get_score(self, cell: NotebookNode, resources: dict[str, Any]) -> None:
        grade = self.grades[cell.metadata.nbgrader.grade_id]
        cell.metadata.nbgrader.update(score=grade.score, points=grade.max_score)

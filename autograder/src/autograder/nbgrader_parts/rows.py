"""The grades and comments of a submission, with one query each.

nbgrader's own steps ask for every cell anew, and again for its name and its points.
"""

from __future__ import annotations

from nbgrader.api import Comment, Grade, Gradebook, SubmittedNotebook
from sqlalchemy.orm import joinedload, undefer


def grades_of(book: Gradebook, notebook: SubmittedNotebook) -> dict[str, Grade]:
    """By the name of their cells."""
    found = (
        book.db.query(Grade)
        .filter(Grade.notebook_id == notebook.id)
        .options(joinedload(Grade.cell), undefer(Grade.max_score))
    )
    return {grade.name: grade for grade in found}


def comments_of(book: Gradebook, notebook: SubmittedNotebook) -> dict[str, Comment]:
    """By the name of their cells."""
    found = (
        book.db.query(Comment)
        .filter(Comment.notebook_id == notebook.id)
        .options(joinedload(Comment.cell))
    )
    return {comment.name: comment for comment in found}

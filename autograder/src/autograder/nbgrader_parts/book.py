"""The gradebook as grading uses it for one submission after another: with few queries."""

from __future__ import annotations

from nbgrader.api import Comment, Grade, Gradebook, SubmittedNotebook
from sqlalchemy import Engine
from sqlalchemy.orm import joinedload, scoped_session, sessionmaker, undefer

# Of the gradebooks in which this process has found all tables, and the course.
_checked: dict[tuple[str, str], Engine] = {}


class CheckedGradebook(Gradebook):
    """nbgrader's, which looks for its tables and its course at every opening: here only once."""

    engine: Engine

    def __init__(self, db_url: str, course_id: str) -> None:
        engine = _checked.get((db_url, course_id))
        if engine is None:
            super().__init__(db_url, course_id)
            _checked[db_url, course_id] = self.engine
        else:
            self.engine, self.course_id, self.authenticator = engine, course_id, None
            self.db = scoped_session(sessionmaker(bind=engine))


def grades_of(book: Gradebook, notebook: SubmittedNotebook) -> dict[str, Grade]:
    """By the name of their cells, with their points: nbgrader asks for every cell anew."""
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

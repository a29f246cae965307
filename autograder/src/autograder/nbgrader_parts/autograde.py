"""nbgrader's Autograde, fed with notebooks that are safe to open.

nbgrader opens, copies and parses what students handed in before its first preprocessor runs, and
drops a submission when that fails. Here nbgrader works from a temporary folder, where an empty file
stands for every submission. When its turn comes, the submission is read without trust and rebuilt
on its release. So a file that is empty, no JSON, missing, renamed or a link ends as a grade with a
reason, and nothing else that lies beside it is copied anywhere.
"""

from __future__ import annotations

import glob
import re
import secrets
import tempfile
from pathlib import Path

from nbformat import NotebookNode
from nbgrader.api import MissingEntry
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.utils import parse_utc

from autograder import extensions, reader
from autograder.config import CourseError, find_assignment
from autograder.course import Course
from autograder.doctor import require_sandbox
from autograder.grade import Releases, prepare_folder
from autograder.nbgrader_parts import execute
from autograder.nbgrader_parts.book import CheckedGradebook

MAX_TIMESTAMP = 200
MAX_SECRET = 200


class CourseAutograde(Autograde):
    """Grades what lies in submitted/, by way of a folder of stand-ins for it."""

    _staged: str = ""
    _releases: Releases

    @property
    def _input_directory(self) -> str:
        return self._staged

    def start(self) -> None:
        with tempfile.TemporaryDirectory(prefix="staged-") as folder:
            self._staged = folder
            try:
                course = Course(Path(self.coursedir.root))
                course.key()
                assignment = find_assignment(self.coursedir.assignment_id)
                if not execute.found:  # else it was scored beforehand, and is only recorded here
                    require_sandbox(assignment)
                    self._releases = Releases(assignment, course.versions(assignment.name))
                self._stage(f"{assignment.notebook}.ipynb")
            except CourseError as error:
                self.log.error(str(error))
                raise NbGraderException(str(error)) from error
            super().start()

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        """nbgrader's, which opens the gradebook five times; and what the student was granted.

        nbgrader would also copy what else is in source/ASSIGNMENT: there is nothing else.
        """
        super(Autograde, self).init_assignment(assignment_id, student_id)
        source = self._format_source(assignment_id, student_id)
        timestamp = self.coursedir.get_existing_timestamp(source)
        known = {"timestamp": timestamp} if timestamp else {}
        with CheckedGradebook(self.coursedir.db_url, self.coursedir.course_id) as book:
            try:
                for path in self.notebooks:
                    book.find_notebook(Path(path).stem, assignment_id)
                if self.create_student:
                    book.update_or_create_student(student_id)
                book.update_or_create_submission(assignment_id, student_id, **known)
            except MissingEntry as error:
                self.log.error(str(error))
                raise NbGraderException(str(error)) from error
            extensions.enter(book, Course(Path(self.coursedir.root)), assignment_id, student_id)

    def convert_single_notebook(self, notebook_filename: str) -> None:
        """In one pass: nbgrader's first one would only check what was just rebuilt."""
        self._sanitizing = False
        self._init_preprocessors()
        resources = self.init_single_notebook_resources(notebook_filename)
        notebook = self._prepared(resources["nbgrader"]["student"])
        self.write_single_notebook(*self.exporter.from_notebook_node(notebook, resources))

    def _prepared(self, student: str) -> NotebookNode:
        """What the student handed in, rebuilt on its release."""
        if student in execute.found:
            return execute.found[student].notebook
        submitted, name = self.coursedir.submitted_directory, self.coursedir.assignment_id
        folder = self.coursedir.format_path(submitted, student, name)
        return prepare_folder(Path(folder), self._releases)

    def _stage(self, notebook: str) -> None:
        """Put a stand-in for every chosen submission into the temporary folder."""
        name = self.coursedir.assignment_id
        submitted = self.coursedir.submitted_directory
        student = self.coursedir.student_id
        pattern = self.coursedir.format_path(submitted, student, name)
        parts = self.coursedir.format_path(submitted, "(?P<student>.*)", name, escape=True)
        for folder in sorted(glob.glob(pattern)):
            if match := re.fullmatch(parts, folder):
                staged = self.coursedir.format_path(self._staged, match["student"], name)
                self._stage_one(Path(folder), Path(staged), notebook)

    def _stage_one(self, folder: Path, staged: Path, notebook: str) -> None:
        staged.mkdir(parents=True)
        (staged / notebook).touch()
        if timestamp := _timestamp(folder):
            (staged / "timestamp.txt").write_text(timestamp)
        (staged / "submission_secret.txt").write_text(_secret(folder))


def _secret(folder: Path) -> str:
    """Under which feedback lies in the exchange; a new one where the student's cannot be used.

    Without one, nbgrader would stop releasing feedback at this student.
    """
    try:
        secret = reader.content_of(folder / "submission_secret.txt", MAX_SECRET).decode("ascii")
    except (OSError, ValueError, reader.Unreadable):
        secret = ""
    return secret if re.fullmatch(r"[0-9a-f]{128}", secret) else secrets.token_hex(64)


def _timestamp(folder: Path) -> str:
    """The time of submission that nbgrader's collect wrote, or "" where there is none."""
    try:
        content = reader.content_of(folder / "timestamp.txt", MAX_TIMESTAMP)
        return str(parse_utc(content.decode("ascii").strip()))
    except (OSError, ValueError, OverflowError, reader.Unreadable):
        return ""

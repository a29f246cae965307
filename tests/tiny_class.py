"""A tiny class in a real course folder, for tests to fill, grade and look at."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook

from autograder import build
from autograder.config import assignments
from autograder.course import Course, open_course

TINY = Path(__file__).parent / "fixtures" / "tiny"
NAME = "00_tiny"
SCRIPTS = Path(sys.executable).parent

COUNTER = """class Counter:
    def __init__(self): self.n = 0
    def __call__(self):
        self.n += 1
        return self.n
print("<script>alert(1)</script>")"""
RIGHT = {
    "double": "def double(x): return 2 * x",
    "Counter": COUNTER,
    "written_square": "Because <script>alert(2)</script> [x](javascript:alert(3)) of **growth**.",
}


class Class:
    """A tiny course with submissions, for the tests to fill and grade."""

    def __init__(self, root: Path, source: Path = TINY) -> None:
        shutil.copytree(source, root)
        self.root = root
        self.assignment = assignments(root)[0]
        build.write(self.assignment)
        self.course: Course = open_course(root / "course")
        self.db_url = f"sqlite:///{self.course.root / 'gradebook.db'}"

    def configure(self, line: str) -> None:
        """Add a line to the course's nbgrader_config.py."""
        with self.course.config_file.open("a") as file:
            file.write(f"{line}\n")

    def use_database(self, url: str) -> None:
        self.db_url = url
        self.configure(f"c.CourseDirectory.db_url = {url!r}")

    def copy(self, root: Path) -> "Class":
        """The same class in another folder, for a test that changes it."""
        return Class(root, self.root)

    def release(self) -> NotebookNode:
        return nbformat.read(self.assignment.released, as_version=4)

    def answered(self, **answers: str) -> NotebookNode:
        notebook = self.release()
        for cell in notebook.cells:
            cell.source = answers.get(cell.id, cell.source)
        return notebook

    def hand_in(self, student: str, content: str | None, name: str = "tiny.ipynb") -> Path:
        folder = self.course.submitted(NAME, student)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "timestamp.txt").write_text("2026-09-20 10:00:00 UTC")
        if content is not None:
            (folder / name).write_text(content)
        return folder

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "COURSE_DIR": str(self.course.root), "COLUMNS": "200"}
        cwd = self.course.root if command[0] == "nbgrader" else self.root
        line = [SCRIPTS / command[0], *command[1:]]
        return subprocess.run(line, cwd=cwd, env=env, capture_output=True, text=True)

    def grades(self, student: str) -> dict[str, tuple[float | None, bool]]:
        """The machine's score and whether a person must look, by cell."""
        with Gradebook(self.db_url) as book:
            notebook = book.find_submission_notebook("tiny", NAME, student)
            return {
                each.name: (each.auto_score, each.needs_manual_grade) for each in notebook.grades
            }

    def comments(self, student: str) -> dict[str, str | None]:
        """What the machine noted beside an answer, by cell."""
        with Gradebook(self.db_url) as book:
            notebook = book.find_submission_notebook("tiny", NAME, student)
            return {each.name: each.auto_comment for each in notebook.comments}

    def autograded(self, student: str) -> NotebookNode:
        path = self.course.autograded(NAME, student) / "tiny.ipynb"
        return nbformat.read(path, as_version=4)

    def feedback(self, student: str) -> str:
        return (self.course.feedback(NAME, student) / "tiny.html").read_text("utf-8")


def text(notebook: NotebookNode) -> str:
    return json.dumps(notebook)

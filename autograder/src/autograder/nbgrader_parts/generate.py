"""From the instructor's notebook to the released one, through nbgrader's generate_assignment."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets.config import Config

from autograder.cells import release_hash, to_text
from autograder.config import Assignment, CourseError
from autograder.nbgrader_parts.install import generate_preprocessors


class StampRelease(NbGraderPreprocessor):
    """Last step of a release: name the version in the notebook, and keep it for grading.

    The version lies in COURSE/versions/ASSIGNMENT/HASH.ipynb for as long as the course exists.
    """

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        name = resources["nbgrader"]["assignment"]
        release = release_hash(nb)
        nb.metadata["sft2rl"] = {"assignment": name, "release": release}
        coursedir: CourseDirectory = self.parent.parent.coursedir
        kept = Path(coursedir.root, "versions", name, f"{release}.ipynb")
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(to_text(nb), "utf-8", newline="\n")
        return nb, resources


def released(assignment: Assignment, source: NotebookNode) -> NotebookNode:
    """The released notebook, made in a temporary course folder that has no gradebook."""
    with tempfile.TemporaryDirectory(prefix="course-build-") as folder:
        path = Path(folder, "source", assignment.name, f"{assignment.notebook}.ipynb")
        path.parent.mkdir(parents=True)
        path.write_text(to_text(source), "utf-8")
        config = Config()
        config.CourseDirectory.root = folder
        config.CourseDirectory.assignment_id = assignment.name
        config.GenerateAssignment.no_database = True
        config.SaveCells.enabled = False
        config.GenerateAssignment.preprocessors = generate_preprocessors()
        converter = GenerateAssignment(coursedir=CourseDirectory(config=config), config=config)
        converter.log = _quiet_log()
        try:
            converter.start()
        except Exception as error:
            raise CourseError(f"nbgrader could not generate {assignment.name}: {error}") from error
        made = Path(folder, "release", assignment.name, path.name)
        return nbformat.read(made, as_version=4)


def _quiet_log() -> logging.Logger:
    log = logging.getLogger("autograder.nbgrader")
    log.setLevel(logging.ERROR)
    return log

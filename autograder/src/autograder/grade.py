"""The one way from what was handed in to a result: read, rebuild on the release, score.

`course score`, `course grade`, `nbgrader autograde` and formgrader's button all come through here.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from nbformat import NotebookNode

from autograder import cells, reader
from autograder.config import Assignment, CourseError
from autograder.rebuild import rebuild
from autograder.results import ExerciseResult, Incident, Result
from autograder.sandbox import SandboxLost, SandboxUnavailable

if TYPE_CHECKING:
    from autograder.scoring import Suite

GRADED = "graded"
GRADER_FAILED = "the grader failed"
log = logging.getLogger(__name__)


class Releases:
    """The released versions of an assignment that submissions are rebuilt on."""

    def __init__(self, assignment: Assignment, versions: Path | None = None) -> None:
        """Versions lie in `versions`/HASH.ipynb; the newest one is the project's release."""
        self.assignment, self.versions = assignment, versions
        if not assignment.released.is_file():
            raise CourseError(
                f"{assignment.name} has no released notebook: run `course build {assignment.name}`."
            )
        self.current = nbformat.read(assignment.released, as_version=4)

    def find(self, release: str | None) -> tuple[NotebookNode, tuple[Incident, ...]]:
        """The version a student was given; the current one where that is not known."""
        if release is None or release == self.current.metadata.sft2rl.release:
            return self.current, ()
        if self.versions and re.fullmatch(r"[0-9a-f]{16}", release):
            kept = self.versions / f"{release}.ipynb"
            if kept.is_file():
                return nbformat.read(kept, as_version=4), ()
        detail = "the notebook names a version that was never released: graded as the current one"
        return self.current, (Incident("release-unknown", None, detail),)


def prepare_file(path: Path, releases: Releases) -> NotebookNode:
    """One notebook file, rebuilt on its release; its metadata says if it can be graded."""
    return _prepare(reader.read_file(path), releases)


def prepare_folder(path: Path, releases: Releases) -> NotebookNode:
    """The notebook in a folder that a student handed in, rebuilt on its release."""
    assignment = releases.assignment
    ids = filter(None, map(cells.grade_id, releases.current.cells))
    handed_in = reader.read_folder(path, f"{assignment.notebook}.ipynb", assignment.name, ids)
    return _prepare(handed_in, releases)


@dataclass(frozen=True)
class Prepared:
    """What a student handed in, rebuilt on its release, and the state of its folder."""

    folder: Path
    state: dict[str, int]
    notebook: NotebookNode

    @classmethod
    def read(cls, folder: Path, releases: Releases) -> Prepared:
        state = _state(folder)  # before it is read: what changes it on the way is seen later
        return cls(folder, state, prepare_folder(folder, releases))

    def is_current(self) -> bool:
        """Whether nothing was handed in since."""
        return _state(self.folder) == self.state


def _state(folder: Path) -> dict[str, int]:
    """When each file in a folder was last changed; nothing where there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return {each.name: each.stat(follow_symlinks=False).st_ctime_ns for each in entries}
    except OSError:
        return {}


def _prepare(handed_in: reader.HandedIn, releases: Releases) -> NotebookNode:
    release, incidents = releases.find(handed_in.release)
    notebook = rebuild(release, handed_in)
    notebook.metadata.sft2rl.incidents += [vars(each) for each in incidents]
    return notebook


def grade(notebook: NotebookNode, assignment: Assignment, key: bytes) -> Result:
    """Score a prepared notebook. What goes wrong on our side ends in manual review.

    Raises:
        SandboxUnavailable: nothing can be graded here.
    """
    from autograder.scoring import score_notebook

    return _graded(notebook, assignment, lambda: score_notebook(notebook, assignment, key))


def add_artefacts(result: Result, assignment: Assignment, folder: Path) -> None:
    """Score the exercises that ask for a file, from the folder that was handed in.

    They have no hidden tests, so scoring the notebook has left them for a person. A file that is
    missing or hostile costs its own exercise; a fault of ours leaves that one for a person.
    """
    if not assignment.artefacts or result.status != GRADED:
        return
    module = import_module(assignment.artefacts)
    for name in module.EXERCISES:
        points = result.exercises[name].max_score
        try:
            result.exercises[name], notes = module.score_artefact(name, folder, points)
        except Exception as error:
            log.exception("The grader failed on a file of %s.", assignment.name)
            notes = [Incident("suite-error", name, f"scoring its file raised {error!r}")]
        result.incidents += notes


def artefact_exercises(assignment: Assignment) -> tuple[str, ...]:
    """The exercises that are scored by a file beside the notebook."""
    return tuple(import_module(assignment.artefacts).EXERCISES) if assignment.artefacts else ()


def grade_with(suite: Suite, notebook: NotebookNode, key: bytes) -> Result:
    """`grade` with a suite that was collected before."""
    from autograder.scoring import score_with

    return _graded(notebook, suite.assignment, lambda: score_with(suite, notebook, key))


def grader_failed(notebook: NotebookNode) -> Result:
    """The result of a notebook that the grader could not get through."""
    result = _without_score(GRADER_FAILED, notebook, None)
    result.incidents.append(Incident("grader-failed", None, "please review by hand"))
    return result


def digest(notebook: NotebookNode) -> str:
    """Names a prepared notebook by the sources that are graded."""
    sources = [[cell.cell_type, cell.source] for cell in notebook.cells]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def _graded(notebook: NotebookNode, assignment: Assignment, score: Callable[[], Result]) -> Result:
    status = notebook.metadata.sft2rl.status
    if status:
        result = _without_score(status, notebook, 0.0)
    else:
        try:
            result = _undisturbed(score)
        except SandboxUnavailable:
            raise
        except Exception:
            log.exception("The grader failed on a submission of %s.", assignment.name)
            result = grader_failed(notebook)
    met = [Incident(**each) for each in notebook.metadata.sft2rl.incidents]
    result.incidents = list(dict.fromkeys([*met, *result.incidents]))
    return result


def _undisturbed(score: Callable[[], Result]) -> Result:
    """Score; once more if the sandbox was ended by something outside it."""
    with _quiet():
        try:
            return score()
        except SandboxLost:
            return score()


def _quiet() -> contextlib.redirect_stdout[io.StringIO]:
    """Suites and references may print; our standard output may be somebody's JSON."""
    return contextlib.redirect_stdout(io.StringIO())


def _without_score(status: str, notebook: NotebookNode, score: float | None) -> Result:
    exercises = {
        name: ExerciseResult(score, points) for name, points in cells.exercises(notebook).items()
    }
    return Result(status, exercises, cells.manual(notebook))


def score_files(
    paths: list[Path],
    assignment: Assignment,
    key: bytes,
    versions: Path | None = None,
) -> list[Result]:
    """Score notebooks without touching a gradebook."""
    from autograder.scoring import with_suite

    releases = Releases(assignment, versions)
    results: list[Result] = []

    def work(suite: Suite) -> None:
        for path in paths:
            results.append(grade_with(suite, prepare_file(path, releases), key))
            add_artefacts(results[-1], assignment, path.parent)

    with _quiet():
        with_suite(assignment, work)
    return results

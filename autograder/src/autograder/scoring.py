"""Runs a hidden suite with pytest, in this process, against submissions in their sandboxes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any, Literal

import nbformat
import pytest
from _pytest.runner import runtestprotocol
from nbformat import NotebookNode

from autograder import cells, opaque
from autograder.config import Assignment, CourseError
from autograder.grading import Grading, Wanted
from autograder.outputs import clean_outputs
from autograder.preload import preload_of
from autograder.results import Result
from autograder.student import Student
from autograder.submission import Submission, graded_cells
from autograder.suite import Draw
from autograder.worker.deferred import defer_dynamo

# Parts of pytest that a hidden test has no use for; "logging" alone took a third of the time.
_NOT_NEEDED = (
    *("cacheprovider", "terminal", "faulthandler", "logging", "warnings", "threadexception"),
    *("unraisableexception", "skipping", "setuponly", "junitxml", "pastebin", "doctest"),
)


@dataclass(frozen=True)
class HiddenTest:
    """One collected test of a suite."""

    item: pytest.Function
    exercise: str
    weight: float
    inplace: bool

    @property
    def name(self) -> str:
        return self.item.name

    @property
    def tried(self) -> str:
        """What the test tries: the first line of its docstring."""
        return (inspect.getdoc(self.item.function) or "").split("\n")[0]


@dataclass
class Suite:
    """A collected suite, ready to be run on many submissions; see `with_suite`."""

    assignment: Assignment
    tests: list[HiddenTest]
    modules: list[ModuleType]
    plugin: _Plugin

    @property
    def depends(self) -> dict[str, list[str]]:
        return self._declared("DEPENDS")

    @property
    def forbidden(self) -> dict[str, list[str]]:
        return self._declared("FORBIDDEN")

    @property
    def helpers(self) -> frozenset[str]:
        """What tests call besides exercises, and may share a process like them."""
        return frozenset(name for each in self.modules for name in getattr(each, "HELPERS", ()))

    @cached_property
    def preload(self) -> tuple[str, ...]:
        return preload_of(self.assignment)

    @cached_property
    def released(self) -> frozenset[str]:
        """The sources of the released cells that are not for students to write."""
        if not self.assignment.released.is_file():
            return frozenset()
        notebook = nbformat.read(self.assignment.released, as_version=4)
        return frozenset(source for _, name, source in graded_cells(notebook) if not name)

    def dependencies(self, name: str) -> list[str]:
        """What an exercise depends on, directly or through others, each once."""
        found: list[str] = []
        todo = [name]
        while todo:
            for each in self.depends.get(todo.pop(), []):
                if each not in found:
                    found.append(each)
                    todo.append(each)
        return found

    def _declared(self, name: str) -> dict[str, list[str]]:
        tables = [getattr(module, name, {}) for module in self.modules]
        return {exercise: names for table in tables for exercise, names in table.items()}

    def score(
        self,
        submission: Submission,
        points: dict[str, float],
        key: bytes,
        wanted: Wanted | None = None,
    ) -> Result:
        """Score the exercises in `points` on an executed submission.

        Args:
            wanted: which tests to run; the others count as passed. By default all are run.
        """
        return Grading(self, submission, points, key, wanted).run()


def with_suite(assignment: Assignment, work: Callable[[Suite], None]) -> None:
    """Collect the suite of an assignment and call `work` with it inside the pytest session.

    Raises:
        CourseError: the suite does not import or has no tests.
    """
    defer_dynamo()  # for optimisers of the reference and of the suite
    plugin = _Plugin(assignment, work)
    options = [part for name in _NOT_NEEDED for part in ("-p", f"no:{name}")]
    options += ["-c", "/dev/null", "--rootdir", str(assignment.suite.parent)]
    options += ["--import-mode=importlib", "--capture=no", "--noconftest", "--assert=plain"]
    if not assignment.suite_files:
        raise CourseError(f"{assignment.name} has no suite: write {assignment.suite}.")
    if assignment.suite.is_dir() and assignment.suite.with_suffix(".py").exists():
        raise CourseError(f"{assignment.suite} is a folder and a file (.py) too: delete one.")
    try:
        pytest.main([*options, str(assignment.suite)], plugins=[plugin])
    finally:  # a long-lived process must see a suite that was mended
        for module in _modules(assignment):
            del sys.modules[module.__name__]
    if plugin.failure is not None:
        raise plugin.failure
    if not plugin.worked:
        raise CourseError(f"{assignment.suite} could not be collected: {plugin.trouble}")


def score_notebook(
    notebook: NotebookNode,
    assignment: Assignment,
    key: bytes,
    exercises: Collection[str] | None = None,
) -> Result:
    """Execute a notebook (already rebuilt on its release) in a sandbox and score it.

    Args:
        notebook: what runs; its metadata is the release's.
        assignment: whose suite scores it.
        key: the course's secret; the hidden inputs follow from it.
        exercises: score only these.
    """
    results: list[Result] = []
    with_suite(
        assignment, lambda suite: results.append(score_with(suite, notebook, key, exercises))
    )
    return results[0]


def score_with(
    suite: Suite, notebook: NotebookNode, key: bytes, exercises: Collection[str] | None = None
) -> Result:
    """`score_notebook` with a suite that was collected before."""
    points = {
        name: value
        for name, value in cells.exercises(notebook).items()
        if exercises is None or name in exercises
    }
    limits = suite.assignment.limits
    with Submission(graded_cells(notebook), limits, suite.preload) as submission:
        result = suite.score(submission, points, key)
        result.incidents += opaque.incidents(notebook)
        result.manual = cells.manual(notebook)
        result.outputs = {
            index: clean_outputs(outputs) for index, outputs in submission.outputs.items()
        }
    return result


class _Plugin:
    """Collects a suite and runs its items on demand."""

    def __init__(self, assignment: Assignment, work: Callable[[Suite], None]) -> None:
        self.assignment, self.work = assignment, work
        self.worked = False
        self.failure: BaseException | None = None
        self.trouble = "it has no tests"
        self._current: tuple[Student, Draw] | None = None
        self._error: BaseException | None = None

    def pytest_configure(self, config: pytest.Config) -> None:
        config.addinivalue_line("markers", "exercise(name, weight, inplace): what a test scores")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.trouble = str(report.longrepr)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed or not session.items:
            return True
        items = [item for item in session.items if isinstance(item, pytest.Function)]
        self.worked = True
        try:
            tests = [_hidden_test(item) for item in items]
            suite = Suite(self.assignment, tests, _modules(self.assignment), self)
            _look_for_cycles(suite)
            self.work(suite)
        except BaseException as error:
            self.failure = error
        return True

    @pytest.fixture
    def student(self) -> Student:
        assert self._current is not None
        return self._current[0]

    @pytest.fixture
    def draw(self) -> Draw:
        assert self._current is not None
        return self._current[1]

    def run(self, item: pytest.Function, student: Student, draw: Draw) -> BaseException | None:
        """Run one test; returns what it raised."""
        self._current, self._error = (student, draw), None
        item._initrequest()
        runtestprotocol(item, log=False)
        return self._error

    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> pytest.TestReport:
        """Keep the exception; pytest's own report would parse the suite for every failure."""
        if call.excinfo is not None and self._error is None:
            self._error = call.excinfo.value
        outcome: Literal["passed", "failed"] = "failed" if call.excinfo else "passed"
        return pytest.TestReport(item.nodeid, item.location, {}, outcome, None, call.when)


def _modules(assignment: Assignment) -> list[ModuleType]:
    """The modules of a collected suite; a folder is a package, and may have several."""
    name = assignment.suite.stem
    return [module for each, module in sys.modules.items() if each.partition(".")[0] == name]


def _hidden_test(item: pytest.Function) -> HiddenTest:
    mark = item.get_closest_marker("exercise")
    if mark is None or not inspect.getdoc(item.function):
        raise CourseError(f"{item.nodeid}: a hidden test needs @exercise(...) and a docstring.")
    return HiddenTest(item, **{"weight": 1.0, "inplace": False, **_renamed(mark.kwargs)})


def _look_for_cycles(suite: Suite) -> None:
    """Two exercises that need each other would both be scored with the reference."""
    for name in suite.depends:
        if name in suite.dependencies(name):
            raise CourseError(f"DEPENDS: {name} depends on itself, directly or through others.")


def _renamed(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {("exercise" if key == "name" else key): value for key, value in kwargs.items()}

"""Runs a hidden suite with pytest, in this process, against submissions in their sandboxes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any, Literal

import nbformat
import pytest
from _pytest.runner import runtestprotocol
from nbformat import NotebookNode

from autograder import cells, opaque
from autograder.channel import ChannelBroken
from autograder.config import Assignment, CourseError
from autograder.forbidden import forbidden_uses
from autograder.outputs import clean_outputs
from autograder.reference import load_reference
from autograder.results import ExerciseResult, Incident, Result, TestResult
from autograder.sandbox import SandboxLost
from autograder.stateless import state_kept
from autograder.student import CheckFailed, Student, StudentFailed
from autograder.submission import Submission, graded_cells
from autograder.suite import Draw
from autograder.zygote import preload_of

TIMEOUTS_PER_EXERCISE = 2
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


# By a test's name, its result and the incident code, if any.
Found = dict[str, tuple[TestResult, str]]
# Whether to run a test, given the results of its exercise so far.
Wanted = Callable[[HiddenTest, list[TestResult]], bool]


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

    @cached_property
    def preload(self) -> tuple[str, ...]:
        return preload_of(self.assignment.suite_files)

    @cached_property
    def released(self) -> frozenset[str]:
        """The sources of the released cells that are not for students to write."""
        if not self.assignment.released.is_file():
            return frozenset()
        notebook = nbformat.read(self.assignment.released, as_version=4)
        return frozenset(source for _, name, source in graded_cells(notebook) if not name)

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
        return _Grading(self, submission, points, key, wanted).run()


def with_suite(assignment: Assignment, work: Callable[[Suite], None]) -> None:
    """Collect the suite of an assignment and call `work` with it inside the pytest session.

    Raises:
        CourseError: the suite does not import or has no tests.
    """
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


@dataclass
class _Grading:
    """Scores one submission."""

    suite: Suite
    submission: Submission
    points: dict[str, float]
    key: bytes
    wanted: Wanted | None = None
    incidents: list[Incident] = field(default_factory=list)
    defined: frozenset[str] = frozenset()
    sharing: bool = False

    @property
    def seconds(self) -> float:
        return self.suite.assignment.limits.test_cpu_seconds

    def run(self) -> Result:
        self.defined = self._defined()
        self.sharing = self.wanted is None and not self._state_kept()
        found = self._together(list(self.points), {})
        exercises = {name: self._exercise(name, {}, found) for name in self.points}
        self._forgive_dependencies(exercises)
        self._look_for_forbidden(exercises)
        incidents = [*self.submission.incidents, *self.incidents]
        return Result("graded", exercises, incidents=list(dict.fromkeys(incidents)))

    def _defined(self) -> frozenset[str]:
        try:
            reply, _ = self.submission.channel.request("names", 10, names=list(self.points))
        except ChannelBroken:
            self.submission.execute()
            return frozenset(self.points)
        found = reply.get("defined")
        return frozenset(name for name in self.points if isinstance(found, list) and name in found)

    def _state_kept(self) -> str:
        """Why a test might depend on those before it in the same fork; "" if none can."""
        if self.submission.device != "cpu":
            return "the memory of a GPU"
        sources = [source for _, _, source in self.submission.cells]
        return state_kept(sources, self.suite.released, self.points)

    def _together(self, names: list[str], bindings: dict[str, Any]) -> Found:
        """What tests find that run one after another in one fork, where that changes nothing.

        What disturbs the fork (a crash, an error in the suite, a check that fails in a call-back)
        ends it, and the others go on in a new one. What is not found here is asked again alone.
        """
        found: Found = {}
        names = [name for name in names if self.sharing and name in self.defined]
        while names:
            left = len(names)
            try:
                with self.submission.fork(self.seconds):
                    self._bind(bindings)
                    while names:
                        self._exercise_together(names.pop(0), found)
            except SandboxLost:
                raise
            except Exception:
                if len(names) == left:  # the fork itself failed
                    break
        return found

    def _exercise_together(self, name: str, found: Found) -> None:
        for test in self.suite.tests:
            if test.exercise != name:
                continue
            waiting = self.submission.channel.waiting
            try:
                self._ask(test, frozenset(self.points))
            except CheckFailed as error:
                if not isinstance(error, StudentFailed) or error.believed:
                    found[test.name] = self._failure(test, error)
                if self.submission.channel.waiting != waiting:
                    raise
            else:
                found[test.name] = TestResult(test.name, "passed", test.weight), ""

    def _exercise(self, name: str, bindings: dict[str, Any], found: Found) -> ExerciseResult:
        results, timeouts = [], 0
        for test in self.suite.tests:
            if test.exercise != name:
                continue
            if name not in self.defined:
                results.append(_failed(test, _MISSING.format(name)))
                continue
            if self.wanted is not None and not self.wanted(test, results):
                results.append(TestResult(test.name, "passed", test.weight))
                continue
            if timeouts >= TIMEOUTS_PER_EXERCISE:
                results.append(_failed(test, "Not tried: two tests before it ran out of time."))
                continue
            try:
                result, code = found.get(test.name) or self._test(test, bindings)
            except SandboxLost:
                raise
            except Exception as error:
                self._note("suite-error", name, f"{test.name} raised {error!r}: mend the suite")
                return ExerciseResult(None, self.points[name], results)
            timeouts += code in ("test-timeout", "test-no-answer")
            results.append(result)
        if name not in self.defined:
            self._note("missing-function", name, f"`{name}` is not defined after the notebook ran")
        return _share(results, self.points[name])

    def _test(self, test: HiddenTest, bindings: dict[str, Any]) -> tuple[TestResult, str]:
        """The result of one test, in a fork of its own, and the incident code, if any.

        A test that fails on a GPU counts as it does on the CPU, so that a score does not depend on
        the machine.
        """
        error, device = self._alone(test, bindings, self.submission.device)
        if error is not None and device != "cpu":
            error, _ = self._alone(test, bindings, "cpu")
            if error is None:
                self._note("cpu-only", test.exercise, _CPU_ONLY)
        if error is None:
            return TestResult(test.name, "passed", test.weight), ""
        if not isinstance(error, CheckFailed | ChannelBroken):
            raise error
        return self._failure(test, error)

    def _alone(
        self, test: HiddenTest, bindings: dict[str, Any], device: str
    ) -> tuple[Exception | None, str]:
        """What a test raises in a fork of its own, and where its inputs lay."""
        try:
            with self.submission.fork(self.seconds, device) as device:
                self._bind(bindings)
                self._ask(test)
        except SandboxLost:
            raise
        except Exception as error:
            return error, device
        return None, device

    def _bind(self, bindings: dict[str, Any]) -> None:
        if bindings:
            Student(self.submission, self.seconds).bind(bindings)

    def _ask(self, test: HiddenTest, only: frozenset[str] | None = None) -> None:
        """Run a test in the fork that is open; raises what it raises."""
        draw = Draw(self.key, self.suite.assignment.name, test.exercise, test.name)
        student = Student(self.submission, self.seconds, draw.seed % 2**31, test.inplace, only)
        if (error := self.suite.plugin.run(test.item, student, draw)) is not None:
            raise error

    def _failure(
        self, test: HiddenTest, error: CheckFailed | ChannelBroken
    ) -> tuple[TestResult, str]:
        """The result of a test that raised this, and the incident code, if any."""
        code, text = "", str(error)
        if isinstance(error, StudentFailed):
            code = error.code
        elif isinstance(error, ChannelBroken):
            code = f"test-{error.code}"
            text = _BROKEN.get(error.code, _BROKEN["crash"])
        if code and code != "raised":
            self._note(code, test.exercise, text)
        return _failed(test, text), code

    def _forgive_dependencies(self, exercises: dict[str, ExerciseResult]) -> None:
        """Score exercises again with the reference in the place of what they depend on."""
        for name, result in exercises.items():
            broken = [
                each
                for each in self._dependencies(name)
                if each in exercises and _loses(exercises[each])
            ]
            if not broken or not _loses(result) or name not in self.defined:
                continue
            module = load_reference(self.suite.assignment)
            bindings = {each: getattr(module, each) for each in broken}
            if any(isinstance(function, type) for function in bindings.values()):
                continue
            again = self._exercise(name, bindings, self._together([name], bindings))
            if (again.score or 0) > (result.score or 0):
                exercises[name] = again
                listed = ", ".join(broken)
                self._note("dependency", name, f"scored with the reference for {listed}")

    def _dependencies(self, name: str) -> list[str]:
        found: list[str] = []
        todo = [name]
        while todo:
            for each in self.suite.depends.get(todo.pop(), []):
                if each not in found:
                    found.append(each)
                    todo.append(each)
        return found

    def _look_for_forbidden(self, exercises: dict[str, ExerciseResult]) -> None:
        sources = [source for _, _, source in self.submission.cells]
        for name, banned in self.suite.forbidden.items():
            if name not in exercises:
                continue
            own = [source for _, cell, source in self.submission.cells if cell == name]
            for line, dotted in forbidden_uses(own[-1] if own else "", sources, banned):
                exercises[name].score = None
                detail = f"line {line} of the cell uses {dotted}: please review by hand"
                self._note("forbidden", name, detail)

    def _note(self, code: str, exercise: str, detail: str) -> None:
        self.incidents.append(Incident(code, exercise, detail))


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
            _look_for_cycles(suite.depends)
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


def _look_for_cycles(depends: dict[str, list[str]]) -> None:
    """Two exercises that need each other would both be scored with the reference."""
    for name in depends:
        todo, seen = list(depends[name]), set[str]()
        while todo:
            if (each := todo.pop()) == name:
                raise CourseError(f"DEPENDS: {name} depends on itself, directly or through others.")
            if each not in seen:
                seen.add(each)
                todo += depends.get(each, [])


def _renamed(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {("exercise" if key == "name" else key): value for key, value in kwargs.items()}


def _failed(test: HiddenTest, text: str) -> TestResult:
    tried = test.tried.rstrip(".")
    return TestResult(test.name, "failed", test.weight, f"{tried}. {text}")


def _share(results: list[TestResult], points: float) -> ExerciseResult:
    total = sum(each.weight for each in results)
    won = sum(each.weight for each in results if each.outcome == "passed")
    score = points * won / total if total else None
    return ExerciseResult(score, points, results)


def _loses(result: ExerciseResult) -> bool:
    return result.score is not None and result.score < result.max_score


_MISSING = (
    "`{}` is not defined after the notebook ran from top to bottom. "
    "Was it renamed, or does its cell raise an error?"
)
_CPU_ONLY = "a hidden test passes only when its inputs lie on the CPU"
_BROKEN = {
    "crash": "Your code ended the process.",
    "timeout": "Your code used up its CPU time.",
    "memory": "Your code used more memory than is allowed.",
    "no-answer": "Your code did not finish.",
    "protocol": "Your code disturbed the grader's channel.",
    "too-many-callbacks": "Your code called the function it was given far too often.",
}

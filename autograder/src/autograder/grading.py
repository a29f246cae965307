"""Scores one submission with a collected suite: test by test, in forks of the executed notebook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autograder.channel import ChannelBroken, NotShared
from autograder.forbidden import forbidden_uses
from autograder.reference import load_reference
from autograder.results import ExerciseResult, Incident, Result, TestResult
from autograder.sandbox import SandboxLost
from autograder.stateless import state_kept
from autograder.student import CheckFailed, Student, StudentFailed
from autograder.submission import Submission
from autograder.suite import Draw

if TYPE_CHECKING:
    from autograder.scoring import HiddenTest, Suite

TIMEOUTS_PER_EXERCISE = 2

# The result of one test, and what a TA should know of it.
Tested = tuple[TestResult, Incident | None]
# By a test's name.
Found = dict[str, Tested]
# Whether to run a test, given the results of its exercise so far.
Wanted = Callable[["HiddenTest", list[TestResult]], bool]


@dataclass
class Scored:
    """An exercise's result, and what a TA should know of it, in the order of its tests."""

    result: ExerciseResult
    incidents: list[Incident] = field(default_factory=list)

    @property
    def loses(self) -> bool:
        return self.result.score is not None and self.result.score < self.result.max_score

    @property
    def ran_out_of_time(self) -> bool:
        return any(each.code == "test-timeout" for each in self.incidents)


@dataclass
class Grading:
    """Scores one submission."""

    suite: Suite
    submission: Submission
    points: dict[str, float]
    key: bytes
    wanted: Wanted | None = None
    defined: frozenset[str] = frozenset()
    sharing: bool = False

    @property
    def seconds(self) -> float:
        return self.suite.assignment.limits.test_cpu_seconds

    @property
    def called(self) -> frozenset[str]:
        """What tests may call in a process that they share."""
        return self.suite.helpers.union(self.points)

    def run(self) -> Result:
        self.defined = self._defined()
        self.sharing = self.wanted is None and not self._state_kept()
        found = self._together(list(self.points), {})
        exercises = {name: self._exercise(name, {}, found) for name in self.points}
        self._forgive_dependencies(exercises)
        self._look_for_forbidden(exercises)
        incidents = list(self.submission.incidents)
        for scored in exercises.values():
            incidents += scored.incidents
        results = {name: scored.result for name, scored in exercises.items()}
        return Result("graded", results, incidents=list(dict.fromkeys(incidents)))

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
        return state_kept(sources, self.suite.released, self.called)

    def _together(self, names: list[str], bindings: dict[str, Any]) -> Found:
        """What tests find that run one after another in one process, where that changes nothing.

        That is the executed notebook itself, or a fork if something must be bound there. What
        disturbs it (a crash, an error in the suite, a check that fails in a call-back) ends it,
        and the others go on in a fork. What is not found here is asked again alone.
        """
        found: Found = {}
        names = [name for name in names if self.sharing and name in self.defined]
        process = self.submission.fork if bindings else self.submission.stay
        while names:
            left = len(names)
            try:
                with process(self.seconds):
                    self._bind(bindings)
                    while names:
                        self._exercise_together(names.pop(0), found)
            except SandboxLost:
                raise
            except Exception:
                process = self.submission.fork  # cheaper to end
                if len(names) == left:  # the process itself failed
                    break
        return found

    def _exercise_together(self, name: str, found: Found) -> None:
        for test in self.suite.tests:
            if test.exercise != name:
                continue
            waiting = self.submission.channel.waiting
            try:
                self._ask(test, self.called)
            except (CheckFailed, NotShared) as error:
                if isinstance(error, CheckFailed) and _is_believed(error):
                    found[test.name] = _failure(test, error)
                if self.submission.channel.waiting != waiting:
                    raise
            else:
                found[test.name] = _passed(test), None

    def _exercise(self, name: str, bindings: dict[str, Any], found: Found) -> Scored:
        results: list[TestResult] = []
        incidents: list[Incident] = []
        for test in self.suite.tests:
            if test.exercise != name:
                continue
            if name not in self.defined:
                results.append(_failed(test, _MISSING.format(name)))
                continue
            if self.wanted is not None and not self.wanted(test, results):
                results.append(_passed(test))
                continue
            if sum(each.code in _ENDLESS for each in incidents) >= TIMEOUTS_PER_EXERCISE:
                results.append(_failed(test, "Not tried: two tests before it ran out of time."))
                continue
            try:
                result, incident = found.get(test.name) or self._test(test, bindings)
            except SandboxLost:
                raise
            except Exception as error:
                detail = f"{test.name} raised {error!r}: mend the suite"
                incidents.append(Incident("suite-error", name, detail))
                return Scored(ExerciseResult(None, self.points[name], results), incidents)
            results.append(result)
            incidents += [incident] if incident else []
        if name not in self.defined:
            detail = f"`{name}` is not defined after the notebook ran"
            incidents.append(Incident("missing-function", name, detail))
        return Scored(_share(results, self.points[name]), incidents)

    def _test(self, test: HiddenTest, bindings: dict[str, Any]) -> Tested:
        """What a test finds in a fork of its own.

        A test that fails on a GPU counts as it does on the CPU, so that a score does not depend on
        the machine.
        """
        error, device = self._alone(test, bindings, self.submission.device)
        incident = None
        if error is not None and device != "cpu":
            error, _ = self._alone(test, bindings, "cpu")
            incident = Incident("cpu-only", test.exercise, _CPU_ONLY)
        if error is None:
            return _passed(test), incident
        if not isinstance(error, CheckFailed | ChannelBroken):
            raise error
        return _failure(test, error)

    def _alone(
        self, test: HiddenTest, bindings: dict[str, Any], device: str
    ) -> tuple[Exception | None, str]:
        """What a test raises in a fork of its own, and where its inputs lay."""
        self.submission.renew()
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

    def _forgive_dependencies(self, exercises: dict[str, Scored]) -> None:
        """Score exercises again with the reference in the place of what they depend on."""
        for name, scored in exercises.items():
            if not scored.loses or name not in self.defined:
                continue
            bindings = self._replacements(name, exercises)
            if not bindings:
                continue
            again = self._exercise(name, bindings, self._together([name], bindings))
            if (again.result.score or 0) > (scored.result.score or 0):
                listed = ", ".join(bindings)
                told = Incident("dependency", name, f"scored with the reference for {listed}")
                incidents = [*scored.incidents, *again.incidents, told]
                exercises[name] = Scored(again.result, incidents)

    def _replacements(self, name: str, exercises: dict[str, Scored]) -> dict[str, Any]:
        """The reference for what is wrong in an exercise's dependencies.

        If the exercise took too long, for right ones as well, which may be what was slow. A class
        cannot be replaced; where one is wrong, nothing is.
        """
        known = [each for each in self.suite.dependencies(name) if each in exercises]
        wrong = [each for each in known if exercises[each].loses]
        slow = exercises[name].ran_out_of_time
        if not wrong and not slow:
            return {}
        module = load_reference(self.suite.assignment)
        replaced = {each: getattr(module, each) for each in (known if slow else wrong)}
        classes = {each for each, value in replaced.items() if isinstance(value, type)}
        if classes.intersection(wrong):
            return {}
        return {each: value for each, value in replaced.items() if each not in classes}

    def _look_for_forbidden(self, exercises: dict[str, Scored]) -> None:
        sources = [source for _, _, source in self.submission.cells]
        for name, banned in self.suite.forbidden.items():
            if name not in exercises:
                continue
            own = [source for _, cell, source in self.submission.cells if cell == name]
            for line, dotted in forbidden_uses(own[-1] if own else "", sources, banned):
                exercises[name].result.score = None
                detail = f"line {line} of the cell uses {dotted}: please review by hand"
                exercises[name].incidents.append(Incident("forbidden", name, detail))


def _is_believed(error: CheckFailed) -> bool:
    return not isinstance(error, StudentFailed) or error.believed


def _failure(test: HiddenTest, error: CheckFailed | ChannelBroken) -> Tested:
    """What a test finds that raised this."""
    code, text = "", str(error)
    if isinstance(error, StudentFailed):
        code = error.code
    elif isinstance(error, ChannelBroken):
        code = f"test-{error.code}"
        text = _BROKEN.get(error.code, _BROKEN["crash"])
    told = code and code != "raised"
    return _failed(test, text), Incident(code, test.exercise, text) if told else None


def _passed(test: HiddenTest) -> TestResult:
    return TestResult(test.name, "passed", test.weight)


def _failed(test: HiddenTest, text: str) -> TestResult:
    return TestResult(test.name, "failed", test.weight, text, test.tried.rstrip("."))


def _share(results: list[TestResult], points: float) -> ExerciseResult:
    total = sum(each.weight for each in results)
    won = sum(each.weight for each in results if each.outcome == "passed")
    score = points * won / total if total else None
    return ExerciseResult(score, points, results)


_ENDLESS = ("test-timeout", "test-no-answer")
_MISSING = (
    "`{}` is not defined after the notebook ran from top to bottom. "
    "Was it renamed, or does its cell raise an error?"
)
_CPU_ONLY = "a hidden test passes only when its inputs lie on the CPU"
_BROKEN = {
    "crash": "Your code ended the process.",
    "timeout": "Your code used up its CPU time.",
    "memory": "Your code used more memory than is allowed.",
    "gpu-memory": "Your code used more of the GPU's memory than is allowed.",
    "no-answer": "Your code did not finish.",
    "protocol": "Your code disturbed the grader's channel.",
    "too-many-callbacks": "Your code called the function it was given far too often.",
}

"""Proves an assignment's suite on its zoo: `course check`.

The reference must get full marks and the stub none; every mutant must lose points in its own
exercise, with a message that names its mistake; every rewrite must keep full marks, and let what
builds on it keep them; every test must fail on some mutant. All of it under several keys, since
inputs must not decide who passes.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from autograder import cells
from autograder.build import parse_source
from autograder.config import Assignment, CourseError
from autograder.lint import lint
from autograder.results import ExerciseResult, Result, TestResult
from autograder.sandbox import stay_on_one_core
from autograder.scoring import HiddenTest, Suite, with_suite
from autograder.submission import Submission, graded_cells
from autograder.visible import VisibleChecks

KEYS = (b"check-1", b"check-2", b"check-3")
MIN_MUTANTS, MIN_REWRITES = 6, 3
_SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION.*?### END SOLUTION[^\n]*", re.M | re.S)


@dataclass(frozen=True)
class Answer:
    """One file of the zoo."""

    exercise: str
    kind: str  # "mutant" or "rewrite"
    name: str
    source: str
    phrase: str

    @classmethod
    def load(cls, path: Path) -> Answer:
        """Read `zoo/ASSIGNMENT/EXERCISE/KIND_NAME.py`."""
        kind, _, name = path.stem.partition("_")
        text = path.read_text("utf-8")
        try:
            tree = ast.parse(text)
        except SyntaxError as error:
            raise CourseError(f"{path}:{error.lineno}: not Python: {error.msg}.") from error
        exercise = path.parent.name
        if not any(exercise in _bound(node) for node in tree.body):
            raise CourseError(f"{path}: the answer does not define {exercise}, its folder's name.")
        doc = ast.get_docstring(tree) or ""
        found = re.search(r"^message:\s*(.+)$", doc, re.M)
        if kind not in ("mutant", "rewrite") or not doc or (kind == "mutant" and not found):
            raise CourseError(
                f"{path}: name it mutant_*.py or rewrite_*.py, say in a docstring what it does, "
                "and give a mutant a line `message: PHRASE`."
            )
        return cls(exercise, kind, name, text, found[1].strip() if found else "")


def _bound(node: ast.stmt) -> list[str]:
    """The names that a definition, an assignment or an import gives."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.ImportFrom):
        return [each.asname or each.name for each in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [each.id for each in targets if isinstance(each, ast.Name)]


def load_zoo(assignment: Assignment) -> list[Answer]:
    """The answers of an assignment, sorted."""
    return [Answer.load(path) for path in sorted(assignment.zoo.glob("*/*.py"))]


def check(
    assignment: Assignment,
    keys: Sequence[bytes] = KEYS,
    exercise: str | None = None,
) -> dict[str, Any]:
    """Score reference, stub and zoo under each key.

    Returns:
        {ID: {"points", "reference", "stub", "mutants": {name: score}, "rewrites": {name: score},
        "messages": {mutant: text}, "problems": [text]}}: the worst score over the keys for what
        must be full; for what must lose (under every key), an upper bound of the first key's: once
        a mutant is caught, only those tests are still tried that have failed nothing yet.
    """
    report: dict[str, Any] = {}
    with_suite(assignment, lambda suite: report.update(_Check(suite, keys, exercise).run()))
    return report


def check_all(
    assignments: Sequence[Assignment],
    keys: Sequence[bytes] = KEYS,
    exercise: str | None = None,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Check several assignments, one process per core; yields (name, report) in order."""
    workers = min(len(assignments), os.cpu_count() or 1)
    if workers == 1:
        yield from ((each.name, check(each, keys, exercise)) for each in assignments)
        return
    context = get_context("spawn")
    started = context.Value("i", 0)
    with ProcessPoolExecutor(workers, context, _take_a_core, (started,)) as pool:
        # First those with files to evaluate, which take longest; then by the number of answers.
        order = sorted(assignments, key=lambda each: (not each.artefacts, -len(load_zoo(each))))
        waiting = {each.name: pool.submit(check, each, keys, exercise) for each in order}
        for assignment in assignments:
            yield assignment.name, waiting[assignment.name].result()


def _take_a_core(started: Synchronized[int]) -> None:
    """Begin one of several processes, the first of which gets the first core."""
    with started.get_lock():
        stay_on_one_core(started.value)
        started.value += 1


def problems(report: dict[str, Any]) -> list[str]:
    """What is wrong, one sentence each; empty when the assignment is proved."""
    return [f"{name}: {text}" for name, row in report.items() for text in row["problems"]]


class _Check:
    """One run of `check` on a collected suite."""

    def __init__(self, suite: Suite, keys: Sequence[bytes], exercise: str | None) -> None:
        self.suite, self.keys = suite, keys
        self.suite_file = suite.assignment.suite.relative_to(suite.assignment.root)
        notebook = parse_source(suite.assignment)
        self.points = cells.exercises(notebook)
        named = suite.assignment.artefacts
        self.artefacts = import_module(named) if named else None
        asked = self.artefacts.EXERCISES if self.artefacts else ()
        lint(suite, self.points, asked)
        if exercise is not None:
            if exercise not in self.points:
                raise CourseError(f"{suite.assignment.name} has no exercise {exercise!r}.")
            self.points = {exercise: self.points[exercise]}
        self.files = {name: self.points.pop(name) for name in asked if name in self.points}
        self.cells = graded_cells(notebook)
        self.zoo = [each for each in load_zoo(suite.assignment) if each.exercise in self.points]
        self.visible = VisibleChecks(suite.assignment, notebook)
        self.killed: set[str] = set()

    def run(self) -> dict[str, Any]:
        report = self._functions() if self.points else {}
        if self.artefacts and self.files:
            report |= self.artefacts.prove(self.files, self.suite.assignment.zoo)
        return report

    def _functions(self) -> dict[str, Any]:
        """The exercises that are scored by calling what the student wrote."""
        report = {name: _row(points) for name, points in self.points.items()}
        limits, preload = self.suite.assignment.limits, self.suite.preload
        with Submission(self.cells, limits, preload) as base:
            for incident in base.incidents:
                self._complain(report, incident.exercise, f"the reference: {incident.detail}")
            self._reference(base, report)
            sound = {name: row for name, row in report.items() if not row["problems"]}
            for name, row in sound.items():
                self._stub(base, name, row)
                self._visible_check(name, row)
                for answer in self.zoo:
                    if answer.exercise == name:
                        self._answer(base, answer, row)
        self._count(sound)
        return report

    def _reference(self, base: Submission, report: dict[str, Any]) -> None:
        for key in self.keys:
            result = self.suite.score(base, self.points, key)
            for name, exercise in result.exercises.items():
                row = report[name]
                score = exercise.score if exercise.score is not None else 0.0
                row["reference"] = min(row.get("reference", score), score)
                if score < exercise.max_score:
                    source = self.suite.assignment.solution.relative_to(self.suite.assignment.root)
                    row["problems"].append(
                        f"the reference loses: {_why(exercise, result)} "
                        f"({self.suite_file} or {source} is wrong)"
                    )

    def _stub(self, base: Submission, name: str, row: dict[str, Any]) -> None:
        with self._variant(base, name, self._stub_of(name)) as variant:
            result = self.suite.score(variant, {name: self.points[name]}, self.keys[0])
        row["stub"] = result.exercises[name].score
        if row["stub"] != 0:
            row["problems"].append(
                f"the stub scores {row['stub']}: let a test of {name} fail unless it is called"
            )

    def _stub_of(self, name: str) -> str:
        """The exercise's cell as students get it."""
        source = next(source for _, cell, source in self.cells if cell == name)
        return _SOLUTION.sub(r"\1raise NotImplementedError()", source)

    def _visible_check(self, name: str, row: dict[str, Any]) -> None:
        rewrites = {
            each.name: each.source
            for each in self.zoo
            if each.exercise == name and each.kind == "rewrite"
        }
        row["problems"] += self.visible.problems(name, self._stub_of(name), rewrites)

    def _answer(self, base: Submission, answer: Answer, row: dict[str, Any]) -> None:
        judge = self._rewrite if answer.kind == "rewrite" else self._mutant
        for result in self._scores(base, answer.exercise, answer.source, answer.phrase):
            exercise = result.exercises[answer.exercise]
            if exercise.score is None and not _by_rule(result):
                row["problems"].append(f"{answer.kind} {answer.name}: {_why(exercise, result)}")
            else:
                judge(answer, exercise, result, row)

    def _rewrite(
        self, answer: Answer, exercise: ExerciseResult, result: Result, row: dict[str, Any]
    ) -> None:
        score = exercise.score or 0.0
        row["rewrites"][answer.name] = min(row["rewrites"].get(answer.name, score), score)
        if score < exercise.max_score:
            row["problems"].append(f"rewrite {answer.name} loses: {_why(exercise, result)}")
        for name, other in result.exercises.items():
            if name != answer.exercise and other.score != other.max_score:
                row["problems"].append(
                    f"rewrite {answer.name} makes {name} lose, which builds on it: "
                    f"{_why(other, result)}"
                )

    def _mutant(
        self, answer: Answer, exercise: ExerciseResult, result: Result, row: dict[str, Any]
    ) -> None:
        failed = [test for test in exercise.tests if test.outcome == "failed"]
        self.killed.update(test.name for test in failed)
        text = " ".join([test.text for test in failed] + [i.detail for i in result.incidents])
        score = exercise.score if exercise.score is not None else 0.0
        row["mutants"].setdefault(answer.name, score)
        row["messages"].setdefault(answer.name, text)
        if score >= exercise.max_score:
            row["problems"].append(
                f"mutant {answer.name} keeps full marks: add a test to {self.suite_file} that it "
                "fails (if the answer is right, make it a rewrite)"
            )
        elif answer.phrase.lower() not in text.lower():
            row["problems"].append(
                f"mutant {answer.name}: no message says {answer.phrase!r} (mend its line "
                f"`message:`, or the texts of the test), but: {text}"
            )

    def _scores(
        self, base: Submission, name: str, source: str, phrase: str = ""
    ) -> Iterator[Result]:
        """Score one exercise under every key with its cell replaced, in a fork of the notebook.

        A mutant (whose `phrase` is to be said) takes the tests until one catches it, and those that
        no mutant has failed yet; under further keys the test that caught it comes first. A rewrite
        takes them all, under the first key also those of what builds on it.
        """
        points = {name: self.points[name]}
        with self._variant(base, name, source) as variant:
            if not phrase:
                yield self.suite.score(variant, points | self._dependents(name), self.keys[0])
                yield from (self.suite.score(variant, points, key) for key in self.keys[1:])
                return

            def wanted(test: HiddenTest, so_far: list[TestResult]) -> bool:
                return test.name not in self.killed or not _saying(so_far, phrase)

            first = self.suite.score(variant, points, self.keys[0], wanted)
            yield first
            catcher = _saying(first.exercises[name].tests, phrase)[:1]
            for key in self.keys[1:]:
                result = self.suite.score(
                    variant, points, key, lambda test, _: [test.name] == catcher
                )
                if not _saying(result.exercises[name].tests, phrase):
                    result = self.suite.score(variant, points, key)
                yield result

    def _variant(
        self, base: Submission, name: str, source: str
    ) -> AbstractContextManager[Submission]:
        cells = [(i, cell, source if cell == name else old) for i, cell, old in self.cells]
        return base.variant(cells, (name, source))

    def _dependents(self, name: str) -> dict[str, float]:
        """The exercises that build on this one, directly or through others, with their points."""
        return {
            each: points
            for each, points in self.points.items()
            if name in self.suite.dependencies(each)
        }

    def _count(self, report: dict[str, Any]) -> None:
        for name, row in report.items():
            folder = (self.suite.assignment.zoo / name).relative_to(self.suite.assignment.root)
            row["problems"] = list(dict.fromkeys(row["problems"]))
            if len(row["mutants"]) < MIN_MUTANTS or len(row["rewrites"]) < MIN_REWRITES:
                row["problems"].append(
                    f"{len(row['mutants'])} mutants and {len(row['rewrites'])} rewrites; "
                    f"at least {MIN_MUTANTS} and {MIN_REWRITES} are wanted in {folder}"
                )
            for test in self.suite.tests:
                if test.exercise == name and test.name not in self.killed:
                    row["problems"].append(
                        f"no mutant fails {test.name}: add one to {folder}, or delete the test"
                    )

    def _complain(self, report: dict[str, Any], name: str | None, text: str) -> None:
        report[name if name in report else next(iter(report))]["problems"].append(text)


def _row(points: float) -> dict[str, Any]:
    return {
        "points": points,
        "stub": None,
        "mutants": {},
        "rewrites": {},
        "messages": {},
        "problems": [],
    }


def _by_rule(result: Result) -> bool:
    """Whether a missing score means manual review under a FORBIDDEN rule."""
    return any(each.code == "forbidden" for each in result.incidents)


def _saying(tests: list[TestResult], phrase: str) -> list[str]:
    """The failed tests whose message has the phrase."""
    return [
        test.name
        for test in tests
        if test.outcome == "failed" and phrase.lower() in test.text.lower()
    ]


def _why(exercise: ExerciseResult, result: Result) -> str:
    failed = [f"{each.name}: {each.text}" for each in exercise.tests if each.outcome == "failed"]
    return " | ".join(failed + [f"{each.code}: {each.detail}" for each in result.incidents])

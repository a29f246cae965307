"""What keeps state is never taken for what does not, and sharing a process changes no result."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tiny_class import Class

from autograder import cells
from autograder.build import parse_source
from autograder.channel import Channel, ChannelBroken
from autograder.check import Answer, load_zoo
from autograder.config import Assignment, Limits, assignments
from autograder.grading import Grading
from autograder.results import Result
from autograder.scoring import Suite, score_notebook, with_suite
from autograder.stateless import state_kept
from autograder.stateless.harmless import MODULES, UNLOADED
from autograder.student import NotShared, Student
from autograder.submission import Submission, graded_cells

RELEASED = """
import math
import torch
import torch.nn.functional as F
from torch import Tensor

IDS: dict[str, int] = {"a": 0, "b": 1}
WORDS: list[str] = ["a", "b"]
SIZE = 3
seen: list[list[int]] = [[]]

def remembering(x):
    WORDS.append(x)
    return len(WORDS)

def helper(x):
    return x + SIZE
"""

FIXTURES = Path(__file__).parent / "fixtures"
# What these cells define answers differently the second time, or could; or IPython runs other code.
STRANGE = {
    "a comment that IPython ends": "def f(x):\n    return 0\n"
    "# c\u2028!true\u2028f = (lambda kept: lambda x: kept.append(x) or len(kept))([])",
    "a form feed": "def f(x):\n    return 0\n# c\x0b%precision 3\x0b"
    "f = (lambda kept: lambda x: kept.append(x) or len(kept))([])",
    "indents that IPython takes away": "    # c\n    \x0cdef h():\n    \x0c    pass\n"
    "    def f(x, kept=[]):\n        kept.append(x)\n        return len(kept)",
    "a line at which IPython itself fails": "def f(x):\n    return x\n# c\x0bx = %\\\n",
    "a cell that is too long": "def f(x):\n    return x\n" + "#" * 20_000,
    "cells that are too long together": "# %%\n".join(["#" * 19_000 + "\n"] * 6),
}


def catalogue(name: str) -> dict[str, str]:
    """Notebooks by title: cells, parted by lines `# %%`; one that begins `# released` is ours."""
    text = (FIXTURES / f"{name}.txt").read_text("utf-8")
    parts = re.split(r"^# --- (.+)\n", text, flags=re.M)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def why(notebook: str, called: str = "f") -> str:
    sources = notebook.split("# %%\n")
    ours = {RELEASED, *(each for each in sources if each.startswith("# released\n"))}
    return state_kept([RELEASED, *sources], ours, [called])


STATEFUL, STATELESS = catalogue("stateful") | STRANGE, catalogue("stateless")


@pytest.mark.parametrize("notebook", STATEFUL.values(), ids=STATEFUL)
def test_what_keeps_state_is_not_taken_for_what_keeps_none(notebook: str) -> None:
    assert why(notebook)


@pytest.mark.parametrize("notebook", STATELESS.values(), ids=STATELESS)
def test_what_keeps_nothing_is_recognised(notebook: str) -> None:
    assert not why(notebook)


def test_a_class_may_be_what_is_called() -> None:
    assert not why(COUNTER, "Counter")
    assert why(COUNTER + "\n    __hash__ = print", "Counter")


@pytest.mark.parametrize("assignment", assignments(), ids=lambda each: each.name)
def test_references_and_most_answers_keep_nothing(assignment: Assignment) -> None:
    notebook = parse_source(assignment)
    graded, called = graded_cells(notebook), list(cells.exercises(notebook))
    with_suite(assignment, lambda suite: called.extend(suite.helpers))
    ours = {source for _, name, source in graded if not name}

    def proved(answer: Answer) -> bool:
        sources = [answer.source if name == answer.exercise else text for _, name, text in graded]
        return not state_kept(sources, ours, called)

    assert not state_kept([source for _, _, source in graded], ours, called)
    zoo = load_zoo(assignment)[::7]
    assert sum(map(proved, zoo)) > 0.8 * len(zoo)


COUNTER = """class Counter:
    def __init__(self):
        self.n = 0
    def __call__(self):
        self.n += 1
        return self.n"""
# Each with the forks that three tests take, and how often the notebook is executed for them.
ANSWERS = {
    "right": ("def double(x): return 2 * x", 0, 1),
    "wrong": ("def double(x): return 3 * x", 0, 1),
    "raises": ("def double(x): return x[0]", 0, 1),
    "endless": ("def double(x):\n    while True: pass", 3, 2),
    "out of memory": ("def double(x): return bytes(10 ** 12)", 2, 2),
    "recursive": ("def double(x): return double(x)", 0, 1),
    "remembers": ("n = []\ndef double(x):\n    n.append(x)\n    return 2 * x", 3, 1),
    "right only the second time": (
        "n = []\ndef double(x):\n    n.append(x)\n    return 2 * x if len(n) > 1 else 0",
        3,
        1,
    ),
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Class:
    return Class(tmp_path_factory.mktemp("class") / "root")


@pytest.mark.parametrize(("source", "forks", "executions"), ANSWERS.values(), ids=ANSWERS)
def test_sharing_a_process_changes_no_result(
    source: str, forks: int, executions: int, tiny: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fork, execute = Channel.fork, Submission.execute

    def counted(channel: Channel, seconds: float, device: str) -> bool:
        done.append("fork")
        return fork(channel, seconds, device)

    def executed(submission: Submission) -> None:
        done.append("execution")
        execute(submission)

    monkeypatch.setattr(Channel, "fork", counted)
    monkeypatch.setattr(Submission, "execute", executed)
    notebook = tiny.answered(double=source, Counter=COUNTER)
    assignment = replace(tiny.assignment, limits=Limits(test_cpu_seconds=1))
    together = score_notebook(notebook, assignment, b"key")
    assert (done.count("fork"), done.count("execution")) == (forks, executions)
    monkeypatch.setattr(Grading, "_state_kept", lambda self: "not asked")
    assert score_notebook(notebook, assignment, b"key") == together
    assert (done.count("fork"), done.count("execution")) == (forks + 3, executions + 1)


def test_processes_that_always_fail_come_to_an_end(
    tiny: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Channel.request

    def broken(channel: Channel, *options: object) -> bool:
        raise ChannelBroken("crash")

    def half_broken(channel: Channel, op: str, *rest: Any, **fields: Any) -> Any:
        return broken(channel) if op == "stay" else request(channel, op, *rest, **fields)

    monkeypatch.setattr(Channel, "fork", broken)
    monkeypatch.setattr(Channel, "request", half_broken)
    notebook = tiny.answered(double="def double(x): return 2 * x", Counter=COUNTER)
    result = score_notebook(notebook, tiny.assignment, b"key")
    assert {each.score for each in result.exercises.values()} == {0}


def test_what_functions_may_import_is_loaded_already() -> None:
    source = "import sys\ndef missing(names): return [n for n in names if n not in sys.modules]"
    names = [name for name in MODULES if name.split(".")[0] not in UNLOADED]
    with Submission([(0, "missing", source)], Limits()) as submission:
        assert Student(submission, 10).missing(names) == []


def test_a_test_that_calls_another_function_is_asked_alone(tiny: Class) -> None:
    with Submission([(0, "double", "def double(x): return 2 * x")], Limits()) as submission:
        student = Student(submission, 10, only={"double"})
        assert student.double(3) == 6
        with pytest.raises(NotShared):
            student.print(3)
        with pytest.raises(NotShared):
            student.grad("print", 3, wrt=(0,))


HELPER = "def helper(x): return x + 1"
WITH_A_HELPER = '''
"""A check that calls what students are given."""
from autograder.suite import Draw, Student, exercise, expect


@exercise("double")
def test_a_helper_that_calls_the_function(student: Student, draw: Draw):
    """Two calls."""
    expect(student.twice(4)).equals(16, "Twice the number is wanted.")


@exercise("double")
def test_a_number(student: Student, draw: Draw):
    """A number."""
    expect(student.double(4)).equals(8, "Twice the number is wanted.")
'''


def made(root: Path, suite: str) -> Assignment:
    """An assignment that is nothing but a suite."""
    (root / "autograder/suites").mkdir(parents=True)
    (root / "autograder/suites/test_00_back.py").write_text(suite)
    day = datetime(2026, 9, 7, tzinfo=UTC)
    return Assignment(root, "00_back", "back", "Back", "0", day, day, 5, Limits())


@pytest.mark.parametrize(("helpers", "forks"), [("()", 1), ("('twice',)", 0)])
def test_only_a_test_that_calls_another_function_gets_a_fork(
    helpers: str, forks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "def double(x): return 2 * x\ndef twice(x): return double(double(x))"
    forked: list[str] = []
    fork = Channel.fork

    def counted(channel: Channel, seconds: float, device: str) -> bool:
        forked.append("fork")
        return fork(channel, seconds, device)

    def work(suite: Suite) -> None:
        with Submission([(0, "double", source)], Limits()) as submission:
            result = suite.score(submission, {"double": 1}, b"key")
        assert result.exercises["double"].score == 1

    monkeypatch.setattr(Channel, "fork", counted)
    with_suite(made(tmp_path, f"{WITH_A_HELPER}\nHELPERS = {helpers}\n"), work)
    assert len(forked) == forks


CALLING_BACK = '''
"""A check that fails while student code waits for an answer."""
from autograder.suite import Draw, Student, exercise, expect


@exercise("apply")
def test_another_function_in_a_call_back(student: Student, draw: Draw):
    """A function that need not keep nothing."""
    got = student.apply(lambda x: student.helper(x), 4)
    expect(got).equals(5, "Return what the function gives.")


@exercise("apply")
def test_what_the_function_is_given(student: Student, draw: Draw):
    """The argument."""
    def function(x):
        expect(x).equals(4, "Pass the argument on as it is.")
        return 2 * x
    expect(student.apply(function, 4)).equals(8, "Return what the function gives.")


@exercise("apply")
def test_a_function_that_is_broken(student: Student, draw: Draw):
    """A broken suite."""
    expect(student.apply(lambda x: x, 4)).equals(undefined, "Nothing.")


@exercise("double")
def test_it_is_called_afterwards(student: Student, draw: Draw):
    """A number."""
    expect(student.double(4)).equals(8, "Twice the number is wanted.")
'''


@pytest.mark.parametrize("shift", [0, 1])
def test_what_disturbs_a_shared_process_ends_it(
    shift: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assignment = made(tmp_path, CALLING_BACK)
    source = f"def apply(f, x): return f(x + {shift})\ndef double(x): return 2 * x\n{HELPER}"
    results: list[Result] = []

    def work(suite: Suite) -> None:
        with Submission([(0, "apply", source)], Limits()) as submission:
            results.append(suite.score(submission, {"apply": 1, "double": 1}, b"key"))

    with_suite(assignment, work)
    monkeypatch.setattr(Grading, "_state_kept", lambda self: "not asked")
    with_suite(assignment, work)
    together, alone = results
    assert together == alone
    assert together.exercises["double"].score == 1
    assert [each.code for each in together.incidents] == ["suite-error"]
    first = together.exercises["apply"].tests[1]
    assert first.outcome == ("failed" if shift else "passed")

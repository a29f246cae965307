"""What keeps state is never taken for what does not, and sharing forks changes no result."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pytest
from tiny_class import Class

from autograder import cells
from autograder.channel import Channel
from autograder.check import Answer, load_zoo
from autograder.config import Assignment, Limits, assignments
from autograder.results import Result
from autograder.scoring import Suite, _Grading, score_notebook, with_suite
from autograder.stateless import state_kept
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

# Every one of these answers differently the second time, or could.
KEEPS = """
# --- a global list
kept = []
def f(x):
    kept.append(x)
    return len(kept)

# --- a global counter
n = 0
def f(x):
    global n
    n += 1
    return n

# --- a default value
def f(x, kept=[]):
    kept.append(x)
    return len(kept)

# --- a keyword's default
def f(x, *, kept={}):
    kept[len(kept)] = x
    return len(kept)

# --- an attribute of the function
def f(x):
    f.n = getattr(f, 'n', 0) + 1
    return f.n

# --- an attribute through another name
def f(x):
    g = f
    g.grad = x
    return g.grad

# --- an attribute of a library's function
def f(x):
    g = F.softmax
    g.grad = x
    return x

# --- an attribute of a library's class
def f(x):
    g = torch.Tensor
    g.data = x
    return x

# --- a module's attribute
def f(x):
    math.tau = x
    return x

# --- a closure
def make():
    n = [0]
    def g(x):
        n[0] += 1
        return n[0]
    return g
f = make()

# --- a closure under a function's name
def f(x):
    return x
f = (lambda n: lambda x: n.append(x) or len(n))([])

# --- a closure under a builtin's name
len = (lambda n: lambda x: n.append(x) or n.pop())([])
def f(x):
    return len(x)

# --- a loop that binds the function
def f(x):
    return x
for f in [(lambda n: lambda x: n.append(x) or len(n))([])]:
    pass

# --- a walrus that binds the function
def f(x):
    return x
[f := (lambda n: lambda x: n.append(x) or len(n))([])]

# --- a walrus in an annotation
def f(x):
    return x
def g(x: (f := list)):
    return x

# --- a cache
from functools import cache
@cache
def f(x):
    return x

# --- a decorator of its own
def d(g):
    return g
@d
def f(x):
    return x

# --- a class attribute
class C:
    kept = []
def f(x):
    C.kept.append(x)
    return C.kept

# --- a class's method on a function
class C:
    def m(self, x):
        self.n = x
        return x
def f(x):
    return C.m(f, x)

# --- an instance
class C:
    def __init__(self):
        self.n = 0
c = C()
def f(x):
    return c.n

# --- a class method
class C:
    @classmethod
    def m(cls, x):
        cls.n = x
def f(x):
    return C().m(x)

# --- a metaclass
class C(metaclass=type):
    pass
def f(x):
    return x

# --- a generator
def g():
    n = 0
    while True:
        n += 1
        yield n
it = g()
def f(x):
    return next(it)

# --- a gradient mode that stays
def f(x):
    torch.set_grad_enabled(False)
    return x

# --- a default dtype
def f(x):
    torch.set_default_dtype(torch.float64)
    return x

# --- a generator inside no_grad
def f(x):
    with torch.no_grad():
        yield x

# --- uninitialised memory
def f(x):
    return torch.empty(9).sum()

# --- uninitialised memory of a class
def f(x):
    return torch.Tensor(9).sum()

# --- uninitialised memory of a tensor
def f(x):
    return x.new_empty(9)

# --- a constant's bytes
def f(x):
    t = torch.frombuffer(b'ab', dtype=torch.uint8)
    t += 1
    return t

# --- a file
def f(x):
    open('/tmp/kept', 'a').write('x')
    return x

# --- a file that is memory
def f(x):
    return torch.from_file('/tmp/kept', True, 8)

# --- a file through a tensor
def f(x):
    return x.untyped_storage().from_file('/tmp/kept', True, 8)

# --- the environment
import os
def f(x):
    os.environ['KEPT'] = x
    return x

# --- a module that is imported inside
def f(x):
    import random
    return random.random()

# --- names by text
def f(x):
    return globals()

# --- code by text
def f(x):
    return eval('x')

# --- the function's globals
def f(x):
    return f.__globals__

# --- an attribute by a name
def f(x, name):
    return getattr(f, name)

# --- a released list
def f(x):
    WORDS.append(x)
    return len(WORDS)

# --- a released function that remembers
def f(x):
    return remembering(x)

# --- a released table, written
def f(x):
    IDS[x] = len(IDS)
    return IDS[x]

# --- a released table, handed on
def g(t, x):
    t[x] = len(t)
    return t[x]
def f(x):
    return g(IDS, x)

# --- a released table under a local name
def f(x):
    t = IDS
    t[x] = len(t)
    return t[x]

# --- a released table of lists
def f(x):
    seen[0].append(x)
    return len(seen[0])

# --- a builtin that is not one
def f(x):
    len = lambda t: t.update(x=len(t))
    return len(IDS)

# --- IPython's last result
def f(x):
    _.append(x)
    return len(_)

# --- IPython's name for a result
_3 = 0
def f(x):
    return _3.append(x)

# --- a private name
_C__kept = (lambda n: lambda: n.append(1) or len(n))([])
def __kept():
    return 0
class C:
    def m(self):
        return __kept()
def f(x):
    return C().m()

# --- a comprehension that hides a global name
kept = []
def f(x):
    [0 for kept in [1]]
    kept.append(x)
    return len(kept)

# --- a patched library
F.softmax = (lambda n: lambda x: n.append(x) or len(n))([])
def f(x):
    return F.softmax(x)

# --- a star
from math import *
def f(x):
    return x

# --- magic
%time 3
def f(x):
    return x

# --- another cell's function
def g(x):
    g.n = x
def f(x):
    return x

# --- a getattr that is not Python's
getattr = (lambda n: lambda *x: n.append(x) or len(n))([])
def f(x):
    return getattr(x, "sum")

# --- an annotation in a class that is evaluated
class C:
    n: math.sqrt(4)
def f(x):
    return C()

# --- text that is not Python
def f(x:
    return x
"""

KEEPS_NOTHING = """
# --- arithmetic
def f(x):
    y = [x]
    y.append(2)
    y[0] += 1
    return sum(y)

# --- torch
def f(x):
    with torch.no_grad():
        y = F.softmax(x, -1)
    y[0] = 1
    return y.sum()

# --- gradients
def f(x):
    x.requires_grad = True
    x.grad = None
    return torch.autograd.grad(x.sum(), x)

# --- a released helper and a table
def f(x):
    return helper(IDS[x]) + len(IDS) + IDS.get(x, SIZE)

# --- a closure of one call
def f(x):
    n = 0
    def g():
        nonlocal n
        n += 1
        return n
    return g() + g()

# --- a decorator for gradients
@torch.no_grad()
def f(x, dtype=torch.float64):
    return x.to(dtype)

# --- a class with state of its own
class C(torch.nn.Module):
    SIZE = 3
    def __init__(self):
        super().__init__()
        self.n = 0
        self.rows = {}
    def forward(self, x):
        self.n += 1
        self.rows[x] = self.n
        return x
def f(x):
    return C()(x)

# --- a student's own cell
y = torch.rand(3)
print(helper(3), y.shape)
def f(x):
    return x

# --- local names like the notebook's
def f(WORDS):
    seen = [WORDS]
    seen.append(1)
    return seen

# --- exceptions
def f(x):
    try:
        return x[0]
    except (IndexError, KeyError) as error:
        raise ValueError('empty') from error
"""


def by_title(text: str) -> dict[str, str]:
    """The cells of such a text."""
    parts = re.split(r"^# --- (.+)\n", text, flags=re.M)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def why(source: str, called: str = "f") -> str:
    return state_kept([RELEASED, source], {RELEASED}, [called])


@pytest.mark.parametrize("source", by_title(KEEPS).values(), ids=by_title(KEEPS))
def test_what_keeps_state_is_not_taken_for_what_keeps_none(source: str) -> None:
    assert why(source)


@pytest.mark.parametrize("source", by_title(KEEPS_NOTHING).values(), ids=by_title(KEEPS_NOTHING))
def test_what_keeps_nothing_is_recognised(source: str) -> None:
    assert not why(source)


def test_a_class_may_be_what_is_called() -> None:
    assert not why(COUNTER, "Counter")
    assert why(COUNTER + "\n    __hash__ = print", "Counter")


@pytest.mark.parametrize("assignment", assignments(), ids=lambda each: each.name)
def test_references_and_most_answers_keep_nothing(assignment: Assignment) -> None:
    notebook = nbformat.read(assignment.source, as_version=4)
    graded, called = graded_cells(notebook), list(cells.exercises(notebook))
    ours = {source for _, name, source in graded if not name}

    def proved(answer: Answer) -> bool:
        sources = [answer.source if name == answer.exercise else text for _, name, text in graded]
        return not state_kept(sources, ours, called)

    assert not state_kept([source for _, _, source in graded], ours, called)
    zoo = load_zoo(assignment)
    assert sum(map(proved, zoo)) > 0.8 * len(zoo)


COUNTER = """class Counter:
    def __init__(self):
        self.n = 0
    def __call__(self):
        self.n += 1
        return self.n"""
# Each with the forks that three tests take.
ANSWERS = {
    "right": ("def double(x): return 2 * x", 1),
    "wrong": ("def double(x): return 3 * x", 1),
    "raises": ("def double(x): return x[0]", 1),
    "endless": ("def double(x):\n    while True: pass", 3),
    "out of memory": ("def double(x): return bytes(10 ** 12)", 4),
    "recursive": ("def double(x): return double(x)", 1),
    "remembers": ("n = []\ndef double(x):\n    n.append(x)\n    return 2 * x", 3),
    "right only the second time": (
        "n = []\ndef double(x):\n    n.append(x)\n    return 2 * x if len(n) > 1 else 0",
        3,
    ),
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Class:
    return Class(tmp_path_factory.mktemp("class") / "root")


@pytest.mark.parametrize(("source", "forks"), ANSWERS.values(), ids=ANSWERS)
def test_sharing_a_fork_changes_no_result(
    source: str, forks: int, tiny: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[float] = []
    fork = Channel.fork

    def counted(channel: Channel, seconds: float) -> bool:
        used.append(seconds)
        return fork(channel, seconds)

    monkeypatch.setattr(Channel, "fork", counted)
    notebook = tiny.answered(double=source, Counter=COUNTER)
    assignment = replace(tiny.assignment, limits=Limits(test_cpu_seconds=1))
    together = score_notebook(notebook, assignment, b"key")
    assert len(used) == forks
    monkeypatch.setattr(_Grading, "_state_kept", lambda self: "not asked")
    assert score_notebook(notebook, assignment, b"key") == together
    assert len(used) == forks + 3


def test_a_test_that_calls_another_function_gets_a_fork_of_its_own(tiny: Class) -> None:
    with Submission([(0, "double", "def double(x): return 2 * x")], Limits()) as submission:
        student = Student(submission, 10, only={"double"})
        assert student.double(3) == 6
        with pytest.raises(NotShared):
            student.print(3)
        with pytest.raises(NotShared):
            student.grad("print", 3, wrt=(0,))


CALLING_BACK = '''
"""A check that fails while student code waits for an answer."""
from autograder.suite import Draw, Student, exercise, expect


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
def test_what_disturbs_a_shared_fork_ends_it(
    shift: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "autograder/suites").mkdir(parents=True)
    (tmp_path / "autograder/suites/test_00_back.py").write_text(CALLING_BACK)
    day = datetime(2026, 9, 7, tzinfo=UTC)
    assignment = Assignment(tmp_path, "00_back", "back", "Back", "0", day, day, 5, Limits())
    source = f"def apply(f, x): return f(x + {shift})\ndef double(x): return 2 * x"
    results: list[Result] = []

    def work(suite: Suite) -> None:
        with Submission([(0, "apply", source)], Limits()) as submission:
            results.append(suite.score(submission, {"apply": 1, "double": 1}, b"key"))

    with_suite(assignment, work)
    monkeypatch.setattr(_Grading, "_state_kept", lambda self: "not asked")
    with_suite(assignment, work)
    together, alone = results
    assert together == alone
    assert together.exercises["double"].score == 1
    assert [each.code for each in together.incidents] == ["suite-error"]
    first = together.exercises["apply"].tests[0]
    assert first.outcome == ("failed" if shift else "passed")

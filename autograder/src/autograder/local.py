"""A student's functions in this very process: for benchmarks only, never for a grade.

`LocalStudent` answers a hidden suite like `autograder.student.Student`, without a sandbox.
"""

from __future__ import annotations

import contextlib
import copy
import io
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from autograder.config import assignments
from autograder.scoring import Suite, with_suite
from autograder.student import Gradient, Model, StudentFailed
from autograder.suite import Draw
from autograder.worker.model import build_model

KEY = b"bench"


class LocalStudent:
    """Calls functions of a namespace directly."""

    def __init__(self, space: dict[str, Any]) -> None:
        self._space = space

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: _wrapped(_call(self._space.get(name), args, kwargs))

    def new(self, name: str, *args: Any, **kwargs: Any) -> LocalHandle:
        return LocalHandle(_call(self._space.get(name), args, kwargs))

    def raised(self, name: str, *args: Any, **kwargs: Any) -> str | None:
        return _raised(self._space.get(name), args, kwargs)

    def source(self, name: str) -> str:
        return ""

    def grad(
        self,
        name: str,
        *args: Any,
        wrt: tuple[int | str, ...],
        cotangent: torch.Tensor | None = None,
        item: int | str | None = None,
        **kwargs: Any,
    ) -> Gradient:
        args, kwargs = _copied(args), _copied(kwargs)
        arguments: dict[int | str, Any] = dict(enumerate(args))
        arguments.update(kwargs)
        leaves = [arguments[key].requires_grad_(True) for key in wrt]
        value = _run(self._space.get(name), args, kwargs)
        value = value if item is None else value[item]
        if not isinstance(value, torch.Tensor):
            raise StudentFailed("no tensor")
        if not value.requires_grad:
            return Gradient(value, dict.fromkeys(wrt), False)
        grads = torch.autograd.grad(value, leaves, cotangent, allow_unused=True)
        return Gradient(value.detach(), dict(zip(wrt, grads, strict=True)), True)


class LocalHandle:
    """An object of the student's."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: _wrapped(_call(getattr(self._value, name), args, kwargs))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _wrapped(_call(self._value, args, kwargs))

    def get(self, name: str) -> Any:
        return _wrapped(getattr(self._value, name))

    def take(self, count: int) -> list[Any]:
        return list(islice(self._value, count))

    def raised(self, name: str, *args: Any, **kwargs: Any) -> str | None:
        return _raised(getattr(self._value, name), args, kwargs)


def run_cells(sources: list[tuple[int, str, str]]) -> dict[str, Any]:
    """The namespace after these cells ran; a cell that raises is left."""
    space: dict[str, Any] = {"__name__": "__main__"}
    for _, _, source in sources:
        with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
            exec(compile(source, "cell", "exec"), space)
    return space


def failures(suite: Suite, space: dict[str, Any]) -> dict[str, list[str]]:
    """The hidden tests that fail on a namespace, by exercise."""
    found: dict[str, list[str]] = {}
    for test in suite.tests:
        draw = Draw(KEY, suite.assignment.name, test.exercise, test.name)
        student: Any = LocalStudent(space)
        if suite.plugin.run(test.item, student, draw) is not None:
            found.setdefault(test.exercise, []).append(test.name)
    return found


def failures_here(root: str, name: str, space: dict[str, Any]) -> dict[str, list[str]]:
    """`failures` in a notebook's kernel, for a grader that scores there.

    Args:
        root: the project's folder; the kernel runs somewhere else.
        name: the assignment.
    """
    found: dict[str, list[str]] = {}
    assignment = next(each for each in assignments(Path(root)) if each.name == name)
    with_suite(assignment, lambda suite: found.update(failures(suite, space)))
    return found


def _call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A call on copies of its data, as the sandbox makes them."""
    return _run(function, _copied(args), _copied(kwargs))


def _run(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        return function(*args, **kwargs)
    except Exception as error:
        raise StudentFailed(type(error).__name__, "raised") from error


def _raised(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
    """The name of what a call raises."""
    try:
        _call(function, args, kwargs)
    except StudentFailed as error:
        return str(error)
    return None


def _copied(value: Any) -> Any:
    """Data is copied and models are built from their description; what handles stand for is not."""
    if isinstance(value, LocalHandle):
        return value._value
    if isinstance(value, Model):
        return build_model(value.path, value.config, value.state)
    if isinstance(value, tuple | list):
        return type(value)(map(_copied, value))
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    return value if callable(value) else copy.deepcopy(value)


def _wrapped(value: Any) -> Any:
    """Data crosses; objects stay behind a handle."""
    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, tuple | list):
        return type(value)(map(_wrapped, value))
    if isinstance(value, dict):
        return {key: _wrapped(each) for key, each in value.items()}
    data = value is None or isinstance(value, bool | int | float | str | bytes | set | frozenset)
    return value if data or type(value).__module__ in ("numpy", "fractions") else LocalHandle(value)

"""What a hidden suite is written with; docs/authoring.md explains every name."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from autograder.reference import reference
from autograder.student import CheckFailed, Gradient, Handle, Model, Student

__all__ = [
    "CheckFailed", "Draw", "Gradient", "Handle", "Student",
    "exercise", "expect", "model", "reference",
]  # fmt: skip

MAX_RTOL = 0.1
_RTOL = {
    torch.float64: 1e-9,
    torch.complex128: 1e-9,
    torch.float32: 1e-5,
    torch.complex64: 1e-5,
    torch.float16: 1e-2,
    torch.bfloat16: 3e-2,
}
_WORDS = """
    the of and to in that it with as for was on are by his they at be this from have or one
    had not but what all were when we there can an your which their said if do will each
    about how up out them then she many some so these would other into has more her two like
    him see time could no make than first been its who now people my made over did down only
    way find use may water long little very after words called just where most know river
    morning quiet garden
""".split()


def exercise(name: str, weight: float = 1.0, inplace: bool = False) -> Callable[..., Any]:
    """Mark a test: the exercise it scores, its share of the points, and whether the
    exercise allows its arguments to be changed in place."""
    return pytest.mark.exercise(name=name, weight=weight, inplace=inplace)


def model(path: str, config: dict[str, Any], state: dict[str, torch.Tensor]) -> Model:
    """A model for the student's code: `transformers.X` from the keywords of its config, or
    `sft2rl.models.X` from its keywords; `state` is its state dict."""
    return Model(path, config, {name: tensor.detach() for name, tensor in state.items()})


class Draw:
    """Random inputs, seeded with the course's key, the exercise and the test."""

    def __init__(self, key: bytes, *names: str) -> None:
        digest = hmac.new(key, "/".join(names).encode(), hashlib.sha256).digest()
        self.seed = int.from_bytes(digest[:6], "big")
        self.numpy = np.random.default_rng(list(digest))

    def generator(self) -> torch.Generator:
        """A torch generator; as an argument it crosses as its seed."""
        return torch.Generator().manual_seed(self.integer(0, 2**31))

    def integer(self, lo: int, hi: int) -> int:
        """A whole number from lo to hi - 1."""
        return int(self.numpy.integers(lo, hi))

    def integers(self, lo: int, hi: int, *shape: int) -> torch.Tensor:
        """Whole numbers from lo to hi - 1; int64."""
        return torch.from_numpy(self.numpy.integers(lo, hi, size=shape, dtype=np.int64))

    def normal(self, *shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
        """Standard normal numbers."""
        return torch.from_numpy(np.asarray(self.numpy.standard_normal(shape))).to(dtype)

    def uniform(self, lo: float, hi: float, *shape: int) -> torch.Tensor:
        """Numbers between lo and hi; float64."""
        return torch.from_numpy(np.asarray(self.numpy.uniform(lo, hi, shape)))

    def probs(self, *shape: int) -> torch.Tensor:
        """Distributions along the last dimension, none of their entries tiny; float64."""
        return self.normal(*shape).clamp(-2, 2).softmax(-1)

    def choice(self, items: Sequence[Any]) -> Any:
        """One of the items."""
        return items[self.integer(0, len(items))]

    def sample(self, items: Sequence[Any], count: int) -> list[Any]:
        """`count` different items."""
        return [items[i] for i in self.numpy.permutation(len(items))[:count]]

    def shuffled(self, items: Sequence[Any]) -> list[Any]:
        """All items in another order."""
        return self.sample(items, len(items))

    def word(self) -> str:
        """A common English word."""
        return self.choice(_WORDS)

    def text(self, n_words: int) -> str:
        """Words with single spaces between them; frequent words are more frequent."""
        ranks = np.minimum(self.numpy.geometric(0.04, n_words) - 1, len(_WORDS) - 1)
        return " ".join(_WORDS[rank] for rank in ranks)


def expect(got: Any) -> Expectation:
    """What the student's code gave, ready to be compared."""
    return Expectation(got)


class Expectation:
    """Comparisons that fail with one of the suite's fixed texts."""

    def __init__(self, got: Any) -> None:
        self.got = got

    def equals(
        self,
        want: Any,
        message: str,
        mistakes: Mapping[str, Any] | None = None,
        exact: bool = False,
    ) -> None:
        """Compare plain data (and integer or boolean tensors) exactly."""
        if not _same(self.got, want, exact):
            _fail(message, mistakes, lambda value: _same(self.got, value, exact))

    def close(
        self,
        want: Any,
        message: str,
        mistakes: Mapping[str, Any] | None = None,
        rtol: float | None = None,
        scale: float | None = None,
        dtype: Any = "same",
        scalar: bool = False,
    ) -> None:
        """Compare numbers up to `rtol` times the largest expected magnitude.

        Args:
            want: a float, tensor, array, or a container of them.
            message: the fixed text.
            mistakes: fixed sentence -> the value that this mistake gives, or a function without
                arguments that computes it, which is called when the comparison has failed.
            rtol: at most 0.1; by default 1e-9 for float64, 1e-5 for float32, and so on.
            scale: what `rtol` refers to; needed when `want` is all zeros.
            dtype: None accepts every floating dtype.
            scalar: a float and a 0-d tensor or array are both accepted.
        """
        if rtol is not None and not 0 <= rtol <= MAX_RTOL:
            raise ValueError(f"rtol must lie between 0 and {MAX_RTOL}")
        rule = _Tolerance(rtol, scale, dtype is None, scalar)
        if problem := rule.problem(self.got, want):
            _fail(f"{problem} {message}".strip() if problem != "value" else message,
                  mistakes, lambda value: not rule.problem(self.got, value))  # fmt: skip

    def true(self, condition: Any, message: str) -> None:
        """Fail unless the condition holds."""
        if not condition:
            raise CheckFailed(message)

    def tensor(self, shape: Sequence[int], dtype: torch.dtype | None, message: str) -> torch.Tensor:
        """Fail unless this is a tensor of that shape and dtype; None accepts every dtype."""
        got = self.got
        fits = isinstance(got, torch.Tensor) and tuple(got.shape) == tuple(shape)
        if not fits or (dtype is not None and got.dtype != dtype):
            raise CheckFailed(message)
        return got


class _Tolerance:
    """How far a value may be from the expected one, and the first thing that is wrong."""

    def __init__(
        self, rtol: float | None, scale: float | None, any_float: bool, scalar: bool
    ) -> None:
        self.rtol, self.scale, self.any_float, self.scalar = rtol, scale, any_float, scalar

    def problem(self, got: Any, want: Any) -> str:
        """ "" if `got` is close to `want`; "value" if only the numbers differ; else a sentence."""
        if isinstance(want, torch.Tensor):
            return self._tensor(got, want)
        if isinstance(want, np.ndarray):
            if not isinstance(got, np.ndarray):
                return "A numpy array was expected."
            return self._tensor(torch.from_numpy(got), torch.from_numpy(want))
        if isinstance(want, dict):
            if not isinstance(got, dict) or set(got) != set(want):
                return "The keys of the dict are not the expected ones."
            return self._first((got[key], want[key]) for key in want)
        if isinstance(want, list | tuple):
            if not isinstance(got, list | tuple) or len(got) != len(want):
                return "A list or tuple of another length was expected."
            return self._first(zip(got, want, strict=True))
        return self._number(got, want)

    def _first(self, pairs: Any) -> str:
        return next((text for got, want in pairs if (text := self.problem(got, want))), "")

    def _number(self, got: Any, want: float) -> str:
        if self.scalar and isinstance(got, torch.Tensor | np.ndarray) and got.ndim == 0:
            got = got.item()
        if isinstance(got, np.number):
            got = got.item()
        if isinstance(got, bool) or not isinstance(got, int | float):
            return "A plain Python number was expected."
        rtol = _RTOL[torch.float64] if self.rtol is None else self.rtol
        wanted = torch.tensor(float(want), dtype=torch.float64)
        return self._values(torch.tensor(float(got), dtype=torch.float64), wanted, rtol)

    def _tensor(self, got: Any, want: torch.Tensor) -> str:
        if self.scalar and want.ndim == 0 and isinstance(got, float | np.floating):
            got = torch.tensor(float(got), dtype=want.dtype)
        if not isinstance(got, torch.Tensor):
            return "A tensor was expected."
        if got.shape != want.shape:
            return "The shape is not the expected one."
        if got.dtype != want.dtype and not (self.any_float and got.is_floating_point()):
            return "The dtype is not the expected one."
        rtol = self.rtol
        if rtol is None:
            rtol = max(_RTOL.get(want.dtype, 0.0), _RTOL.get(got.dtype, 0.0))
        wide = torch.complex128 if want.is_complex() else torch.float64
        return self._values(got.to(wide), want.to(wide), rtol)

    def _values(self, got: torch.Tensor, want: torch.Tensor, rtol: float) -> str:
        if want.numel() == 0:
            return ""
        finite = want.isfinite()
        exact = (got == want) | (got.isnan() & want.isnan())
        if not bool(exact[~finite].all()):
            return "value"
        if not bool(got[finite].isfinite().all()):
            return "A value is not finite."
        scale = self.scale
        if scale is None:
            scale = float(want[finite].abs().max()) if bool(finite.any()) else 1.0
            if scale == 0.0:
                raise ValueError("want is all zeros: say scale=")
        error = (got[finite] - want[finite]).abs()
        return "" if bool((error <= rtol * scale).all()) else "value"


def _fail(message: str, mistakes: Mapping[str, Any] | None, same: Callable[[Any], bool]) -> None:
    for sentence, value in (mistakes or {}).items():
        if same(value() if callable(value) else value):
            raise CheckFailed(f"{sentence} {message}")
    raise CheckFailed(message)


def _same(got: Any, want: Any, exact: bool) -> bool:
    """Equality of plain data that never runs code of the student's and never broadcasts."""
    if isinstance(got, np.generic):
        got = got.item()
    if isinstance(want, torch.Tensor):
        fits = isinstance(got, torch.Tensor) and got.shape == want.shape and got.dtype == want.dtype
        return fits and torch.equal(got, want)
    if isinstance(want, np.ndarray):
        fits = isinstance(got, np.ndarray) and got.shape == want.shape and got.dtype == want.dtype
        return fits and bool((got == want).all())
    if isinstance(want, list | tuple):
        kinds: Any = type(want) if exact else (list, tuple)
        fits = isinstance(got, kinds) and len(got) == len(want)
        return fits and all(_same(a, b, exact) for a, b in zip(got, want, strict=True))
    if isinstance(want, dict):
        fits = isinstance(got, dict) and set(got) == set(want)
        return fits and all(_same(got[key], want[key], exact) for key in want)
    if isinstance(want, set | frozenset):
        return isinstance(got, set | frozenset) and set(got) == set(want)
    if isinstance(want, bool) or isinstance(got, bool):
        return got is want
    if isinstance(want, int | float):
        return isinstance(got, int | float) and got == want
    return type(got) is type(want) and got == want

"""The tools of the visible checks: compare, and say in one sentence what is probably wrong.

A visible check ships to students. It uses properties and stored numbers, never a reference
solution, and shows what was expected and what was received in full.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NoReturn

import numpy as np
import torch

__all__ = ["CheckFailed", "close", "equal", "fail", "passed", "raises", "visible_check"]


class CheckFailed(AssertionError):
    """A visible check found something wrong; the message is written for the student."""

    def _render_traceback_(self) -> list[str]:
        """IPython shows these lines instead of a stack of the check's own frames."""
        return [f"\x1b[31m✗ {self}\x1b[0m"]


def fail(sentence: str) -> NoReturn:
    """Stop with a sentence that says what is wrong and where to look next."""
    raise CheckFailed(sentence)


def passed(exercise: str) -> None:
    """Say that every visible check of an exercise passed (the hidden tests try more)."""
    print(f"✓ {exercise}: all visible checks passed")


def visible_check(check: Callable[..., None]) -> Callable[..., None]:
    """Say in one sentence which function is still a stub, instead of a stack of frames."""

    @wraps(check)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            check(*args, **kwargs)
        except NotImplementedError as error:
            stub = traceback.extract_tb(error.__traceback__)[-1].name
            raise CheckFailed(
                f"{stub} is not written yet.\n  Replace `raise NotImplementedError()` in its cell "
                "with your code.\n  Run that cell, then this one."
            ) from None

    return run


def equal(got: Any, want: Any, what: str, mistakes: Mapping[str, Any] | None = None) -> None:
    """Compare plain data exactly.

    Args:
        got: what the student's function returned.
        want: what it should have returned.
        what: what was tried, in a few words.
        mistakes: what typical mistakes return: sentence -> value.
    """
    if _is_none(got, want):
        fail(f"{what}: your function returned None. Is there a `return` on every path?")
    if type(got) is type(want) and got == want:
        return
    kind = "" if isinstance(got, type(want)) else f" (a {type(got).__name__})"
    hint = _mistake(got, mistakes, lambda a, b: type(a) is type(b) and a == b)
    fail(f"{what}:\n  expected {_show(want)}\n  received {_show(got)}{kind}{hint}")


def close(
    got: Any,
    want: Any,
    what: str,
    mistakes: Mapping[str, Any] | None = None,
    rtol: float | None = None,
) -> None:
    """Compare numbers or tensors: type, shape and dtype exactly, values up to rounding.

    Args:
        got: a float, tensor or array from the student's function.
        want: the expected value, of the expected type, shape and dtype.
        what: what was tried, in a few words.
        mistakes: what typical mistakes return: sentence -> value.
        rtol: tolerance relative to the largest expected magnitude; default by dtype.
    """
    if _is_none(got, want):
        fail(f"{what}: your function returned None. Is there a `return` on every path?")
    if isinstance(want, torch.Tensor):
        if not isinstance(got, torch.Tensor):
            fail(f"{what}: expected a torch tensor, received a {type(got).__name__}.")
        if got.shape != want.shape:
            shapes = f"expected shape {tuple(want.shape)}, received {tuple(got.shape)}"
            fail(f"{what}: {shapes}.")
        if got.dtype != want.dtype:
            fail(f"{what}: expected dtype {want.dtype}, received {got.dtype}.")
    if _near(got, want, rtol):
        return
    hint = _mistake(got, mistakes, lambda a, b: _near(a, b, rtol))
    if not hint and _near(got, want, 1e-5):
        hint = "\n  They agree to about float32 precision: was something rounded on the way?"
    fail(f"{what}:\n  expected {_show(want)}\n  received {_show(got)}{hint}")


def raises(exception: type[BaseException], fn: Callable[..., Any], *args: Any, what: str) -> None:
    """Check that `fn(*args)` raises `exception`."""
    try:
        got = fn(*args)
    except exception:
        return
    except NotImplementedError:
        raise
    except Exception as error:
        fail(f"{what}: expected {exception.__name__}, but {type(error).__name__} was raised.")
    fail(f"{what}: expected {exception.__name__}, but {_show(got)} was returned.")


def _is_none(got: Any, want: Any) -> bool:
    return got is None and want is not None


def _near(got: Any, want: Any, rtol: float | None) -> bool:
    try:
        a = torch.as_tensor(np.asarray(_plain(got)), dtype=torch.float64)
        b = torch.as_tensor(np.asarray(_plain(want)), dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        return False
    if a.shape != b.shape:
        return False
    if rtol is None:
        half = isinstance(want, torch.Tensor) and want.dtype in (torch.float16, torch.bfloat16)
        single = isinstance(want, torch.Tensor) and want.dtype == torch.float32
        rtol = 2e-2 if half else 1e-5 if single else 1e-9
    finite = b[b.isfinite()].abs()
    scale = float(finite.max()) if finite.numel() else 0.0
    same = (a == b) | ((a - b).abs() <= rtol * (scale or 1.0))
    return bool((same | (a.isnan() & b.isnan())).all())


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", torch.float64).numpy()
    return value


def _mistake(got: Any, mistakes: Mapping[str, Any] | None, same: Callable[[Any, Any], bool]) -> str:
    for sentence, value in (mistakes or {}).items():
        if same(got, value):
            return f"\n  That is what you get if you {sentence}."
    return ""


def _show(value: Any) -> str:
    text = repr(value.detach() if isinstance(value, torch.Tensor) else value)
    return text if len(text) <= 1200 else text[:1200] + " ..."

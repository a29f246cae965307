"""Defers torch._dynamo until something needs more of it than an optimiser does.

Every optimiser imports it on its first step, which takes 0.8 s, for two functions that matter to
compiled code only. Grading compiles nothing; a notebook that does loads the real one.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

NAME = "torch._dynamo"


class _Deferred(ModuleType):
    """Takes the real module's place until an attribute is wanted that is not here."""

    def __getattr__(self, name: str) -> Any:
        # Who looks at all modules, as `inspect` does, asks for such names and needs nothing of it.
        if name.startswith("__") and name != "__path__":
            raise AttributeError(name)
        if sys.modules.get(NAME) is self:
            del sys.modules[NAME]
        return getattr(importlib.import_module(NAME), name)

    @staticmethod
    def graph_break(*args: Any, **kwargs: Any) -> None:
        """Nothing is being compiled that could be broken."""

    @staticmethod
    def disable(fn: Any = None, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """The function, which nobody compiles; without one, a decorator that gives it back."""
        return (lambda function: function) if fn is None else fn


def defer_dynamo() -> None:
    """Let `import torch._dynamo` cost nothing."""
    if NAME not in sys.modules:
        sys.modules[NAME] = torch._dynamo = _Deferred(NAME)

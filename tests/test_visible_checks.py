"""The visible checks that ship with the notebooks, on answers that are not there yet."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

from sft2rl import checks

ROOT = Path(__file__).resolve().parents[1]


def stub(*args, **kwargs):
    raise NotImplementedError()


def every_check():
    """The checks that the notebooks call."""
    for notebook in sorted((ROOT / "solutions").glob("*/*.py")):
        source = notebook.read_text("utf-8")
        module = re.search(r"^from sft2rl\.checks import (\w+) as check$", source, re.M)
        loaded = importlib.import_module(f"sft2rl.checks.{module[1]}")
        for name in re.findall(r"^check\.(\w+)\(", source, re.M):
            yield pytest.param(getattr(loaded, name), id=f"{module[1]}.{name}")


@pytest.mark.parametrize("check", every_check())
def test_a_check_says_which_function_is_still_a_stub(check):
    answers = [stub for _ in inspect.signature(check).parameters]
    with pytest.raises(checks.CheckFailed, match="^stub is not written yet") as caught:
        check(*answers)
    assert len(caught.value._render_traceback_()) == 1


def test_a_stub_is_named_where_another_error_was_expected():
    @checks.visible_check
    def check(fn):
        checks.raises(ValueError, fn, what="an empty batch")

    with pytest.raises(checks.CheckFailed, match="^stub is not written yet"):
        check(stub)

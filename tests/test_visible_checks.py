"""The visible checks that ship with the notebooks, on answers not there yet and on mistakes."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

from autograder.config import find_assignment
from autograder.reference import load_reference
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


@pytest.fixture(scope="module")
def project():
    """The names of the project's notebook with the reference solution."""
    return vars(load_reference(find_assignment("project"), everything=True))


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        ("no_clipping", "if you do not clip the gradients before the step"),
        ("clip_values", "if you clip every entry of the gradients"),
        ("constant_lr", "if you never change the learning rate"),
        ("lr_of_the_next_step", "if you take the learning rate of the next step"),
        ("seed_ignored", "if you ignore the seed"),
        ("same_rows_always", "if you take the first rows in every step"),
        ("pairs_crossed", "if you mix up the two completions"),
        ("gradients_pile_up", "if you add up the gradients of all steps"),
        ("default_betas", "if you leave Adam's betas at their defaults"),
        ("sgd", "if you take steps of plain descent"),
    ],
)
def test_the_check_of_the_training_loop_names_the_mistake(project, mistake, sentence):
    names = dict(project)
    zoo = ROOT / "autograder/zoo/project/train_offline"
    exec((zoo / f"mutant_{mistake}.py").read_text("utf-8"), names)
    with pytest.raises(checks.CheckFailed, match=re.escape(sentence)):
        names["check"].train_offline(names["train_offline"])

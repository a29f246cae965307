"""The leaderboard: who is on it, under which name, and where the figures come from."""

import io
import json
import os

import pytest
import torch
from rich.console import Console
from safetensors.torch import save_file
from typer.testing import CliRunner

from autograder import leaderboard, project
from autograder.cli import app
from autograder.cli.leaderboard import table
from autograder.config import find_assignment
from autograder.course import Course
from autograder.leaderboard import LABELS, Entry, board, page, pseudonym_of
from autograder.project import Figures
from sft2rl.models import load_model, untied_state

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def reference():
    return untied_state(load_model())


@pytest.fixture
def course(tmp_path):
    return Course(tmp_path)


@pytest.fixture
def evaluated(monkeypatch):
    """Counts evaluations; J is the first weight of the last norm."""
    seen = []

    def evaluate(state):
        J = float(state["model.norm.weight"][0])
        seen.append(J)
        return Figures(J + 0.2, 1.0, J, 0.01, J, 0.01, 0.75)

    monkeypatch.setattr(project, "evaluate", evaluate)
    return seen


def _hand_in(course, reference, student, pseudonym=None, **values):
    folder = course.submitted("project", student)
    folder.mkdir(parents=True)
    if pseudonym is not None:
        (folder / "leaderboard.txt").write_text(pseudonym)
    for exercise, value in values.items():
        state = dict(reference)
        state["model.norm.weight"] = torch.full((128,), value)
        save_file(state, folder / f"{exercise}.safetensors")
    return folder


def _board(course):
    return board(course, find_assignment("project"))


def test_only_who_asks_is_ranked_by_figures_of_ours(course, reference, evaluated):
    _hand_in(course, reference, "ada", "owl", policy_dpo=0.25, policy_copg=0.5)
    _hand_in(course, reference, "bob", None, policy_copg=3.0)
    _hand_in(course, reference, "eve", "fox", policy_pg=0.75)
    _hand_in(course, reference, "dan", "no policy")
    entries = _board(course)
    assert [(each.pseudonym, each.best.J) for each in entries] == [("fox", 0.75), ("owl", 0.5)]
    assert set(entries[1].figures) == {"policy_dpo", "policy_copg"}
    assert len(evaluated) == 3
    assert _board(course) == entries
    assert len(evaluated) == 3


def test_a_refused_policy_is_not_on_the_board(course, reference, evaluated):
    folder = _hand_in(course, reference, "ada", "owl", policy_dpo=0.25)
    (folder / "policy_pg.safetensors").write_bytes(b"\x80pickle")
    (only,) = _board(course)
    assert set(only.figures) == {"policy_dpo"}


def test_pseudonyms_are_unique_and_no_names_of_the_class(course, reference, evaluated):
    _hand_in(course, reference, "ada", "owl", policy_pg=0.5)
    _hand_in(course, reference, "bob", "owl", policy_pg=0.4)
    _hand_in(course, reference, "eve", "Ada", policy_pg=0.3)
    assert [each.pseudonym for each in _board(course)] == ["owl", "owl (2)", "anonymous"]


def test_a_pseudonym_is_one_short_printable_line(tmp_path):
    path = tmp_path / "leaderboard.txt"
    assert pseudonym_of(tmp_path) is None
    for content, wanted in (
        (b" the\n owl ", "the owl"),
        (b"", None),
        (b"a\x1b[31m", "a\ufffd[31m"),
    ):
        path.write_bytes(content)
        assert pseudonym_of(tmp_path) == wanted
    path.write_text("x" * 100)
    assert len(pseudonym_of(tmp_path)) == leaderboard.MAX_LENGTH
    path.write_text("x" * 1000)
    assert pseudonym_of(tmp_path) is None
    path.unlink()
    os.symlink(__file__, path)
    assert pseudonym_of(tmp_path) is None


def test_the_page_escapes_and_the_json_has_no_names(course, reference, evaluated):
    _hand_in(course, reference, "ada", "<b>owl", policy_pg=0.5)
    entries = _board(course)
    html = page(entries, "Final project")
    assert "&lt;b&gt;owl" in html
    assert "<b>" not in html
    assert "ada" not in html + json.dumps([each.as_dict(1) for each in entries])


def test_a_board_without_anybody_says_so(tmp_path):
    done = CliRunner().invoke(app, ["leaderboard", "--course", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "Nobody takes part yet" in done.output


def test_the_widest_board_fits_a_terminal_of_80_columns():
    worst = Figures(-1.67, 25.73, -6.82, 0.13, -6.8, 0.13, 1.0)
    widest = Entry("w" * leaderboard.MAX_LENGTH, dict.fromkeys(LABELS, worst))
    console = Console(width=80, file=io.StringIO())
    console.print(table([widest] * 10 + [Entry("owl", {"policy_pg": worst})]))
    head, *rows = console.file.getvalue().splitlines()[:12]
    assert head.split() == ["pseudonym", "DPO", "PG", "CoPG", "R", "KL", "wins"]
    assert rows[9].split() == ["10", "w" * 24, *["-6.82±0.25"] * 3, "-1.67", "25.73", "100%"]
    assert rows[10].split() == ["11", "owl", "–", "-6.82±0.25", "–", "-1.67", "25.73", "100%"]

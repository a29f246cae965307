"""What was made faster gives what it gave before."""

import ast
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.api import Course, get_alembic_version
from sqlalchemy import Engine, event

from autograder import leaks
from autograder.config import CourseError, Limits, assignments
from autograder.forbidden import forbidden_uses
from autograder.nbgrader_parts import html, install
from autograder.nbgrader_parts.book import CheckedGradebook
from autograder.nbgrader_parts.feedback import FeedbackExporter
from autograder.preload import preload_of
from autograder.reference import load_reference
from autograder.submission import Submission
from autograder.zygote import forget_zygotes, zygote


def test_a_statement_is_cut_out_as_ast_does() -> None:
    for file in assignments()[0].suite_files:
        suite = file.read_text("utf-8")
        lines = suite.encode().splitlines(keepends=True)
        for node in ast.parse(suite).body[::7]:
            assert leaks._segment(lines, node) == ast.get_source_segment(suite, node)


def test_what_a_notebook_and_its_suite_import_is_imported_before(tmp_path: Path) -> None:
    assignment = replace(assignments()[0], root=tmp_path, name="x", notebook="x")
    assert preload_of(assignment) == ()
    assignment.released.parent.mkdir(parents=True)
    cells = [
        new_code_cell("import wave\nfrom json import (dumps,\n    loads)\nx = 1"),
        new_code_cell("%pip install x\nimport nowhere"),
        new_code_cell("import nowhere", metadata={"tags": ["show"]}),
        new_markdown_cell("import nowhere"),
    ]
    nbformat.write(new_notebook(cells=cells), assignment.released)
    assignment.suite.parent.mkdir(parents=True)
    assignment.suite.write_text('import nowhere\nPRELOAD = ("colorsys",)\n')
    found = preload_of(assignment)
    assert found == ("import wave", "from json import dumps, loads", "import colorsys")
    look = "import sys; print(*(name in sys.modules for name in ('wave', 'colorsys', 'cgi')))"
    with Submission([(0, "", look)], Limits(), found) as submission:
        assert submission.outputs[0][0]["text"] == "True True False\n"
    zygote(found, False).close()
    forget_zygotes()
    assignment.suite.write_text("def test_it(:\n")
    with pytest.raises(CourseError, match="test_x.py, line 1: not Python"):
        preload_of(assignment)


SOURCE = """\
# %%
from __future__ import annotations
import wave, json
from math import *
import colorsys

# %%
def plot(): return wave.open("x")
print(json, pi)

# %% tags=["show"]
colorsys.rgb_to_hsv(0, 0, 0)
"""


def test_the_reference_is_loaded_without_imports_that_only_plots_and_checks_use(
    tmp_path: Path,
) -> None:
    assignment = replace(assignments()[0], root=tmp_path, name="x", notebook="x")
    assignment.solution.parent.mkdir(parents=True)
    assignment.solution.write_text(SOURCE)
    found = vars(load_reference(assignment))
    assert {"annotations", "wave", "json", "pi"} <= found.keys() and "colorsys" not in found
    assert "colorsys" in vars(load_reference(assignment, everything=True))
    assignment = replace(assignment, root=tmp_path / "y")
    assignment.solution.parent.mkdir(parents=True)
    assignment.solution.write_text("# %%\n1 +\n")
    with pytest.raises(CourseError, match="cell 1 does not run .* SyntaxError"):
        load_reference(assignment)


def test_the_version_of_a_new_gradebook_is_that_of_nbgraders_own_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install.add_scripts_to_path()
    assert install._alembic_version() == get_alembic_version()


def test_the_tables_of_a_gradebook_are_looked_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbgrader.api.get_alembic_version", install._alembic_version)
    url, asked = f"sqlite:///{tmp_path / 'gradebook.db'}", []

    def opened(course: str) -> bool:
        """Whether opening it asks the database anything."""
        asked.clear()
        with CheckedGradebook(url, course) as book:
            questions = len(asked)
            assert book.students == [] and course in {each.id for each in book.db.query(Course)}
        return questions > 0

    def note(*args: object) -> None:
        asked.append(args)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert [opened(course) for course in ("one", "one", "two", "one")] == [1, 0, 1, 0]
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize("source", ["x < 1  # *a*", "*a* " * (html.LONGEST_KEPT // 4 + 1)])
def test_a_text_is_converted_the_same_again_and_when_it_is_too_long_to_be_kept(source: str) -> None:
    for convert in (html.safe_markdown2html, html.clean_html, html.highlight_code):
        assert convert(source) == convert(source) == convert.__wrapped__(source)


def test_templates_are_compiled_once() -> None:
    def code() -> object:
        exporter = FeedbackExporter()
        return exporter.environment.get_template("base/null.j2").root_render_func.__code__

    assert code() is code()


def test_imports_of_another_notebook_are_not_remembered() -> None:
    uses = [
        list(forbidden_uses("x.y()", [f"import {name} as x"], ["torch"]))
        for name in ("torch", "math", "torch")
    ]
    assert uses[0] and uses == [uses[0], [], uses[0]]

"""Files that are made from others are up to date."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import make_conventions  # noqa: E402
import make_environment  # noqa: E402
import make_headers  # noqa: E402
import nbformat  # noqa: E402
import pytest  # noqa: E402

import sft2rl  # noqa: E402
from autograder import cells, opaque  # noqa: E402
from autograder.build import parse_source  # noqa: E402
from autograder.config import Assignment, assignments  # noqa: E402


def test_environment_yml_carries_the_pins_of_requirements_txt():
    assert (ROOT / "environment.yml").read_text("utf-8") == make_environment.environment()


def test_every_pin_is_the_one_of_the_lock():
    def pins(name: str) -> dict[str, str]:
        lines = (ROOT / name).read_text("utf-8").splitlines()
        pairs = [line.split("==") for line in lines if "==" in line]
        return {package.lower().replace("_", "-"): version for package, version in pairs}

    lock, direct = pins("requirements.lock"), pins("requirements.txt")
    assert direct and all(lock[package] == version for package, version in direct.items())


def test_every_file_that_names_the_version_names_the_same():
    for name in ("shared/pyproject.toml", "autograder/pyproject.toml", "CITATION.cff"):
        text = (ROOT / name).read_text("utf-8")
        found = re.findall(r'^version(?: = |: )"?([\w.]+)"?$', text, re.M)
        assert found == [sft2rl.__version__], name


def test_conventions_md_lists_the_stubs_as_they_are():
    text = (ROOT / "docs" / "conventions.md").read_text("utf-8")
    assert text == make_conventions.conventions(), "run `make docs/conventions.md`"


@pytest.mark.parametrize("assignment", assignments(ROOT), ids=lambda each: each.name)
def test_every_notebook_has_the_head_that_course_toml_gives(assignment: Assignment):
    source = assignment.solution.read_text("utf-8")
    assert source == make_headers.with_head(assignment), "run `python tools/make_headers.py`"


@pytest.mark.parametrize("assignment", assignments(ROOT), ids=lambda each: each.name)
def test_the_minutes_leave_time_beside_the_exercises(assignment: Assignment):
    notebook = parse_source(assignment)
    assert 0 < make_headers.exercise_minutes(notebook) <= assignment.minutes - 15


def test_the_minutes_of_all_exercises_are_added_up():
    """Of points, difficulties and names with digits, and of several exercises in one heading."""
    cell = nbformat.v4.new_markdown_cell(
        "### Exercise: `newton_schulz5` (3 points, 20 minutes, ★★)\n\n45 minutes later\n\n"
        "### Exercises: `a`, `b` (8 points each, 30 minutes together, ★)\n\n"
        "### Exercise: `c` (0.5 points, 1 minute, ★)"
    )
    notebook = nbformat.v4.new_notebook(cells=[cell])
    assert make_headers.exercise_minutes(notebook) == 51


@pytest.mark.parametrize("assignment", assignments(ROOT), ids=lambda each: each.name)
def test_the_map_of_the_readme_is_right(assignment: Assignment):
    notebook = parse_source(assignment)
    machine, hand = sum(cells.exercises(notebook).values()), sum(cells.manual(notebook).values())
    rows = (ROOT / "README.md").read_text("utf-8").splitlines()
    (row,) = [row for row in rows if row.startswith(f"| `{assignment.name}` |")]
    columns = [column.strip() for column in row.strip("| ").split("|")]
    wanted = [assignment.section, f"{machine:g} + {hand:g}", str(assignment.minutes)]
    assert [columns[1], *columns[3:5]] == wanted


@pytest.mark.parametrize("assignment", assignments(ROOT), ids=lambda each: each.name)
def test_no_reference_looks_as_if_it_hid_something(assignment: Assignment):
    assert opaque.incidents(parse_source(assignment)) == []

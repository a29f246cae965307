"""From the text source to the released notebook: what is built, refused, and kept secret."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest

from autograder import build, cells
from autograder.config import Assignment, CourseError, assignments
from autograder.leaks import leaks

TINY = Path(__file__).parent / "fixtures" / "tiny"


@pytest.fixture
def tiny(tmp_path: Path) -> Assignment:
    """A copy of the tiny course, to be built and broken."""
    root = tmp_path / "tiny"
    shutil.copytree(TINY, root)
    return assignments(root)[0]


def edit(assignment: Assignment, old: str, new: str) -> None:
    text = assignment.solution.read_text()
    assert old in text
    assignment.solution.write_text(text.replace(old, new, 1))


def test_the_release_has_the_points_and_no_solution(tiny: Assignment):
    build.write(tiny)
    text = tiny.released.read_text("utf-8")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    assert cells.exercises(notebook) == {"double": 2, "Counter": 1.5}
    assert cells.manual(notebook) == {"written_square": 4}
    assert text.count("raise NotImplementedError()") == 3
    assert text.count("YOUR ANSWER HERE") == 1
    assert "twice_the_argument" not in text and "Rubric" not in text
    assert notebook.metadata.sft2rl.release == cells.release_hash(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    locked = {c.id for c in notebook.cells if c.metadata.get("editable") is False}
    assert locked == {"setup", "test_double", "test_Counter"}


def test_the_source_notebook_keeps_the_solution(tiny: Assignment):
    build.write(tiny)
    notebook = nbformat.read(tiny.source, as_version=4)
    assert "twice_the_argument" in tiny.source.read_text()
    assert not any(cell.get("outputs") for cell in notebook.cells)


def test_building_twice_gives_the_same_bytes(tiny: Assignment):
    assert build.build(tiny) == build.build(tiny)


def test_an_edit_changes_the_ids_of_its_own_cell_only(tiny: Assignment):
    before = [cell.id for cell in build.read_source(tiny).cells]
    edit(tiny, "CONSTANT = 10", "CONSTANT = 11")
    after = [cell.id for cell in build.read_source(tiny).cells]
    assert len(set(before)) == len(before)
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("def double(x", "def twice(x", "exactly one function or class, called 'double'"),
        ("class Counter:", "LIMIT = 3\nclass Counter:", "exactly one function or class"),
        ('"""Return twice `x`."""', "", "no docstring"),
        ("    ### END SOLUTION\n", "", "do not alternate"),
        ('"grade_id": "test_double"', '"grade_id": "test_dubble"', "is not its test cell"),
        ('"grade_id": "Counter"', '"grade_id": "double"', "used more than once"),
        (', "points": 2}', "}", '"points" must be a number above 0'),
        ('"points": 1.5', '"points": -1', '"points" must be a number above 0'),
        ("def double(x: float) -> float", "def double(x)", "no type for x, return: write them in"),
        ("__call__(self) -> int", "__call__(self, n)", "type for n of __call__, return of __call"),
        ('"grade_id": "setup"', '"grade_id": "imports"', "the first code cell is not"),
        ("CONSTANT = 10", "### BEGIN SOLUTION\nCONSTANT = 10", "not a solution cell"),
        ("**Rubric.**", "Points:", "needs a **Rubric.**"),
        ("CONSTANT = 10", "# BEGIN HIDDEN TESTS", "hidden tests belong in"),
        ("return twice_the", "return return twice_the", "is not Python"),
        ('"task": false, "grade_id": "double"', '"grade_id": "double"', "lacks task"),
    ],
)
def test_a_broken_source_is_refused_with_its_cell(tiny: Assignment, old, new, message):
    edit(tiny, old, new)
    with pytest.raises(CourseError) as caught:
        build.read_source(tiny)
    assert message in str(caught.value)
    assert "solutions/00_tiny/tiny.py" in str(caught.value)


def test_check_is_silent_on_a_fresh_release(tiny: Assignment):
    build.write(tiny)
    assert build.problems(tiny) == []


def test_check_names_the_stale_line(tiny: Assignment):
    build.write(tiny)
    edit(tiny, "CONSTANT = 10", "CONSTANT = 11")
    (problem,) = build.problems(tiny)
    file, line, _ = problem.split(":", 2)
    assert file == "assignments/00_tiny/tiny.ipynb"
    assert tiny.released.read_text().splitlines()[int(line) - 1].strip().startswith('"id"')


@pytest.mark.parametrize(
    ("leaked", "what"),
    [
        ("twice_the_argument = x + x\nreturn twice_the_argument", "the solution of double"),
        (
            "The square grows with the argument itself, twice the argument",
            "the model answer or rubric of written_square",
        ),
        (
            "x = -draw.integer(3, 50)\nexpect(student.double(x)).equals"
            '(2 * x, "The sign of the argument must',
            "the hidden test_negative_numbers_are_doubled",
        ),
        ("open('/home/ada/course/data.txt')", "an absolute path"),
    ],
)
def test_a_leak_is_named_with_its_line(tiny: Assignment, leaked: str, what: str):
    build.write(tiny)
    notebook = nbformat.read(tiny.released, as_version=4)
    notebook.cells[0].source += "\n\nAnd now:\n" + leaked
    text = cells.to_text(notebook)
    (problem,) = leaks(tiny, build.read_source(tiny), text)
    line = int(problem.split(":")[1])
    assert what in problem
    assert json.dumps(leaked.splitlines()[0])[1:-1] in text.splitlines()[line - 1]


def test_an_output_is_a_leak(tiny: Assignment):
    build.write(tiny)
    notebook = nbformat.read(tiny.released, as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="ready")]
    (problem,) = leaks(tiny, build.read_source(tiny), cells.to_text(notebook))
    assert "an output was left" in problem


def test_the_visible_checks_are_searched_too(tiny: Assignment):
    build.write(tiny)
    path = tiny.root / "shared" / "sft2rl" / "checks" / "tiny.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "def double(x):\n    twice_the_argument = x + x\n    return twice_the_argument\n"
    )
    (problem,) = leaks(tiny, build.read_source(tiny), tiny.released.read_text())
    assert problem.startswith("shared/sft2rl/checks/tiny.py:2: the solution of double")


def test_every_file_of_a_suite_is_searched_for(tiny: Assignment):
    build.write(tiny)
    alone = tiny.suite
    folder = alone.with_suffix("")
    folder.mkdir()
    alone.rename(folder / "test_1_first.py")
    (folder / "test_2_second.py").write_text(
        "def test_thrice():\n    for times in range(17):\n        value = student.double(times)\n"
        "        expect(value + times - 3).equals(3 * times - 3, 'Thrice, less three.')\n"
    )
    notebook = nbformat.read(tiny.released, as_version=4)
    notebook.cells[0].source += (
        "\n\nfor times in range(17):\n    value = student.double(times)\n"
        "    expect(value + times - 3).equals(3 * times - 3, 'Thrice, less three.')\n"
    )
    found = leaks(tiny, build.read_source(tiny), cells.to_text(notebook))
    assert len(found) == 1 and "the hidden test_thrice" in found[0]

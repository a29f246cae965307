"""A submission on its release: the student's sources, our everything else."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from autograder import build, cells
from autograder.config import assignments
from autograder.reader import HandedIn, StudentCell, read_file
from autograder.rebuild import MAX_CELL_CHARS, MAX_OWN_CELLS, rebuild

TINY = Path(__file__).parent / "fixtures" / "tiny"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    root = tmp_path_factory.mktemp("tiny") / "tiny"
    shutil.copytree(TINY, root)
    assignment = assignments(root)[0]
    build.write(assignment)
    return nbformat.read(assignment.released, as_version=4)


@pytest.fixture
def hand_in(release: NotebookNode, tmp_path: Path) -> Callable[[NotebookNode], NotebookNode]:
    """Write a notebook, read it back, and rebuild it."""

    def rebuilt(notebook: NotebookNode) -> NotebookNode:
        path = tmp_path / "tiny.ipynb"
        path.write_text(json.dumps(notebook))
        return rebuild(release, read_file(path))

    return rebuilt


def copy(release: NotebookNode) -> NotebookNode:
    return nbformat.from_dict(release)


def cell(notebook: NotebookNode, name: str) -> NotebookNode:
    return next(each for each in notebook.cells if each.id == name)


def codes(notebook: NotebookNode) -> list[tuple[str, Any]]:
    return [(each["code"], each["exercise"]) for each in notebook.metadata.sft2rl.incidents]


def test_the_untouched_release_stays_as_it_is(release, hand_in) -> None:
    rebuilt = hand_in(copy(release))
    assert rebuilt.cells == release.cells
    assert codes(rebuilt) == []
    assert rebuilt.metadata.sft2rl.status == ""


def test_answers_are_taken_and_nothing_else(release, hand_in) -> None:
    nb = copy(release)
    cell(nb, "double").source = "def double(x): return 2 * x"
    cell(nb, "written_square").source = "An answer."
    for each in nb.cells:
        each.metadata["tags"] = ["show"]
        if "nbgrader" in each.metadata:
            each.metadata.nbgrader.update(points=400, schema_version=99)
    nb.metadata.kernelspec = {"name": "bash", "display_name": "bash"}
    nb.metadata.sft2rl["status"] = "graded"
    rebuilt = hand_in(nb)
    wanted = copy(release)
    cell(wanted, "double").source = "def double(x): return 2 * x"
    cell(wanted, "written_square").source = "An answer."
    assert rebuilt.cells == wanted.cells
    assert rebuilt.metadata.kernelspec == release.metadata.kernelspec
    assert rebuilt.metadata.sft2rl.status == ""


def test_a_locked_cell_is_graded_as_released(release, hand_in) -> None:
    nb = copy(release)
    cell(nb, "test_double").source = "pass"
    cell(nb, "setup").source = "import os"
    rebuilt = hand_in(nb)
    assert rebuilt.cells == release.cells
    assert codes(rebuilt) == [("locked-cell-edited", "setup"), ("locked-cell-edited", "double")]


@pytest.mark.parametrize("change", ["retyped", "raw", "stripped", "removed"])
def test_a_tampered_test_cell_comes_back(release, hand_in, change: str) -> None:
    nb = copy(release)
    test = cell(nb, "test_double")
    if change == "retyped":
        test.metadata.nbgrader.update(grade=False, locked=False, solution=True)
    elif change == "raw":
        index = nb.cells.index(test)
        nb.cells[index] = nbformat.v4.new_raw_cell(test.source, metadata=test.metadata)
    elif change == "stripped":
        test.metadata = nbformat.from_dict({})
    else:
        nb.cells.remove(test)
    rebuilt = hand_in(nb)
    assert cell(rebuilt, "test_double") == cell(release, "test_double")


def test_a_missing_answer_is_the_stub_and_is_reported(release, hand_in) -> None:
    nb = copy(release)
    nb.cells = [each for each in nb.cells if each.id not in ("Counter", "written_square")]
    rebuilt = hand_in(nb)
    assert rebuilt.cells == release.cells
    assert codes(rebuilt) == [("cell-missing", "Counter"), ("cell-missing", "written_square")]


def test_the_last_of_two_copies_counts(release, hand_in) -> None:
    nb = copy(release)
    second = nbformat.from_dict(cell(nb, "double"))
    second.id, second.source = "again", "def double(x): return 2 * x"
    nb.cells.append(second)
    rebuilt = hand_in(nb)
    assert cell(rebuilt, "double").source == "def double(x): return 2 * x"
    assert codes(rebuilt) == [("cell-duplicated", "double")]
    assert len(rebuilt.cells) == len(release.cells)


def test_own_cells_stay_behind_their_neighbour_without_metadata(release, hand_in) -> None:
    nb = copy(release)
    index = nb.cells.index(cell(nb, "Counter"))
    helper = nbformat.v4.new_code_cell("LIMIT = 7", metadata={"tags": ["show"]})
    raw = nbformat.v4.new_raw_cell("<script>alert(1)</script>")
    nb.cells[index:index] = [helper, raw]
    nb.cells.insert(0, nbformat.v4.new_markdown_cell("My name"))
    rebuilt = hand_in(nb)
    assert rebuilt.cells[0].source == "My name"
    place = next(i for i, each in enumerate(rebuilt.cells) if each.source == "LIMIT = 7")
    assert rebuilt.cells[place].metadata == {}
    assert rebuilt.cells[place + 1].cell_type == "markdown"
    assert rebuilt.cells[place + 2].id == "Counter"


def test_an_edited_constant_runs_after_ours(release, hand_in) -> None:
    nb = copy(release)
    next(each for each in nb.cells if each.source == "CONSTANT = 10").source = "CONSTANT = 11"
    sources = [each.source for each in hand_in(nb).cells]
    assert sources.index("CONSTANT = 11") == sources.index("CONSTANT = 10") + 1


def test_an_edited_plot_is_still_skipped(release, hand_in) -> None:
    nb = copy(release)
    plot = next(each for each in nb.cells if "show" in each.metadata.get("tags", ()))
    plot.source = "my_own_plot()"
    edited = next(each for each in hand_in(nb).cells if each.source == "my_own_plot()")
    assert cells.is_skipped(edited)


def test_cells_without_ids_are_recognised_by_their_text(release) -> None:
    cells = tuple(
        StudentCell(
            each.cell_type, each.source, each.metadata.get("nbgrader", {}).get("grade_id"), None
        )
        for each in release.cells
    )
    assert rebuild(release, HandedIn(cells=cells)).cells == release.cells


def test_an_answer_in_a_cell_of_another_type_counts(release, hand_in) -> None:
    nb = copy(release)
    index = nb.cells.index(cell(nb, "double"))
    metadata = nb.cells[index].metadata
    nb.cells[index] = nbformat.v4.new_markdown_cell("def double(x): return 2", metadata=metadata)
    rebuilt = hand_in(nb)
    assert cell(rebuilt, "double").cell_type == "code"
    assert cell(rebuilt, "double").source == "def double(x): return 2"
    assert codes(rebuilt) == [("cell-type-changed", "double")]


def test_size_is_limited(release, hand_in) -> None:
    nb = copy(release)
    cell(nb, "double").source = "#" * (MAX_CELL_CHARS + 1)
    nb.cells += [nbformat.v4.new_code_cell("pass") for _ in range(MAX_OWN_CELLS + 3)]
    rebuilt = hand_in(nb)
    assert cell(rebuilt, "double") == cell(release, "double")
    assert len(rebuilt.cells) == len(release.cells) + MAX_OWN_CELLS
    assert codes(rebuilt) == [("cell-too-large", "double"), ("own-cells-dropped", None)]


def test_an_unreadable_submission_is_the_release_with_a_reason(release) -> None:
    rebuilt = rebuild(release, HandedIn(problem="unreadable notebook: it is not JSON"))
    assert rebuilt.cells == release.cells
    assert rebuilt.metadata.sft2rl.status == "unreadable notebook: it is not JSON"


def test_every_rebuilt_notebook_is_valid(release, hand_in) -> None:
    nb = copy(release)
    nb.cells = [each for pair in zip(nb.cells, nb.cells, strict=True) for each in pair]
    nbformat.validate(hand_in(nb))

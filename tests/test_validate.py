"""The button Validate: what only draws or trains is left out, so it ends within 20 seconds."""

import os
import sys
from pathlib import Path

import nbformat
import pytest

from autograder import cells
from autograder.config import assignments, find_assignment

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import measure_validate  # noqa: E402


def test_every_cell_that_only_draws_or_trains_is_left_out() -> None:
    count = 0
    for each in assignments():
        for cell in nbformat.read(each.released, as_version=4).cells:
            left_out = cells.NOT_IN_VALIDATE in cell.metadata.get("tags", [])
            assert left_out == cells.is_skipped(cell), f"{each.name}: {cell.source}"
            count += left_out
    assert count > 50


def test_the_project_validates_without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Solved, it took more than two minutes, and trained four policies."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "shared"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = measure_validate.cpu_seconds()
    _, failed = measure_validate.validate(measure_validate.solved(find_assignment("project")))
    assert failed == 0
    assert measure_validate.cpu_seconds() - before < 20, os.getloadavg()

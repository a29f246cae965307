"""The class of `make demo`, graded through nbgrader: twelve people, twelve scores."""

from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograder import demo
from autograder.classroom import Row

SCORES = {
    "Amélie Laurent": 30,
    "Jonas Weber": 29.5,
    "Priya Nair": 29.5,
    "Mateo García": 28.714,
    "Chloé Dubois": 20,
    "Lukáš Novák": 0,
    "Sofia Rossi": 30,
    "Kenji Tanaka": 29,
    "Ingrid Haugen": 27,
    "Omar Haddad": 28,
    "Elif Yılmaz": 28,
    "Viktor Orlov": 0,
}
HAPPENED = {
    "Jonas Weber": "merge_pair 1.5 of 2",
    "Mateo García": "train_bpe 4.71 of 6",
    "Lukáš Novák": "nothing is right yet",
    "Kenji Tanaka": "Not defined after the run (corpus_perplexity)",
    "Ingrid Haugen": "A hidden test did not finish (decode)",
    "Omar Haddad": "Not defined after the run (shift_labels)",
    "Elif Yılmaz": "This cell was deleted (count_pairs)",
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "class"


@pytest.fixture(scope="module")
def rows(root: Path) -> dict[str, Row]:
    return demo.run(root, lambda text: None)


def test_twelve_scores(rows: dict[str, Row]) -> None:
    assert {name: row.score for name, row in rows.items()} == pytest.approx(SCORES, abs=0.001)
    assert {row.max_score for row in rows.values()} == {30}


def test_the_gradebook_has_them_unrounded(rows: dict[str, Row], root: Path) -> None:
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as book:
        submissions = book.assignment_submissions(demo.ASSIGNMENT)
        found = {f"{s.student.first_name} {s.student.last_name}": s.score for s in submissions}
    assert found == {name: row.score for name, row in rows.items()}


@pytest.mark.parametrize(("name", "what"), HAPPENED.items())
def test_the_table_says_what_happened(rows: dict[str, Row], name: str, what: str) -> None:
    assert what in rows[name].happened


def test_only_the_late_one_is_late(rows: dict[str, Row]) -> None:
    assert [name for name, row in rows.items() if "late" in row.flags] == ["Sofia Rossi"]


def test_everybody_has_feedback(rows: dict[str, Row], root: Path) -> None:
    pages = list(root.glob(f"feedback/*/{demo.ASSIGNMENT}/tokenizer.html"))
    assert len(pages) == len(rows)

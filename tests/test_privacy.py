"""Forgetting a student leaves nothing of them, and nobody else less."""

import json
import shutil
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from nbgrader.utils import notebook_hash
from tiny_class import NAME, Class
from typer.testing import CliRunner, Result

from autograder import privacy
from autograder.cli import app

WHO = "dana"
SECRET = "ab" * 64


def course(*arguments: str, answer: str = "") -> Result:
    line = list(arguments)
    return CliRunner().invoke(app, line, input=answer, env={"COLUMNS": "200"})


@pytest.fixture
def exchange(own_class: Class) -> Path:
    """The class's exchange: dana submitted twice, and her feedback is published."""
    root = own_class.root / "exchange"
    with own_class.course.config_file.open("a") as file:
        file.write(f"c.Exchange.root = {str(root)!r}\n")
    for name in (f"dana+{NAME}+2026+x", f"dana+{NAME}+2027+y", f"danae+{NAME}+2026+z"):
        (root / "tiny/inbound" / name).mkdir(parents=True)
    (own_class.course.feedback(NAME, WHO) / "submission_secret.txt").write_text(SECRET)
    (root / "tiny/feedback").mkdir()
    for secret in (SECRET, "cd" * 64):
        name = notebook_hash(secret=secret, notebook_id="tiny")
        (root / "tiny/feedback" / f"{name}.html").write_text("points")
    return root / "tiny"


def test_nothing_is_left_of_who_is_forgotten(own_class: Class, exchange: Path) -> None:
    root = own_class.course.root
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as book:
        book.add_assignment("01_other")
        book.add_submission("01_other", WHO)
        book.find_submission_notebook("tiny", NAME, WHO).comments[0].manual_comment = "dana: nice"
        book.db.commit()
    assert course("report", NAME).exit_code == 0
    assert course("extend", NAME, "ada", "--days", "400").exit_code == 0
    assert course("extend", NAME, WHO, "--days", "400").exit_code == 0
    assert WHO.encode() in (root / "gradebook.db").read_bytes()
    others = {path for path in root.rglob("*") if path.is_file() and WHO not in str(path)}
    lines = (root / "audit.jsonl").read_text().splitlines()
    done = course("forget", WHO, "--yes")
    assert done.exit_code == 0, done.output
    assert "submissions of 00_tiny, 01_other" in done.output and "1 lines" in done.output
    assert not [path for path in root.rglob("*") if WHO in path.name]
    # eve's answer resembles dana's, whose name stands in a comment of dana's alone
    assert not [path for path in root.rglob("*") if path.is_file() and b"dana" in path.read_bytes()]
    assert "ada" in own_class.course.extensions_file.read_text()
    kept = [line for line in lines if json.loads(line)["student"] != WHO]
    assert (root / "audit.jsonl").read_text().splitlines() == kept and len(kept) == len(lines) - 1
    assert {path for path in root.rglob("*") if path.is_file()} == others - {
        root / "reports" / f"{NAME}.html"
    }
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as book:
        assert {each.id for each in book.students} == {"ada", "ben", "cem", "eve", "fay"}
        assert book.find_submission(NAME, "ada").score == 3.5
    assert [path.name for path in (exchange / "inbound").iterdir()] == [f"danae+{NAME}+2026+z"]
    assert len(list((exchange / "feedback").iterdir())) == 1
    again = course("forget", WHO, "--yes")
    assert again.exit_code == 2 and "There is nothing of 'dana'" in again.output
    assert "Did you mean 'ada'?" in course("forget", "Ada").output


def test_it_asks_first(own_class: Class, exchange: Path) -> None:
    before = sorted(own_class.course.root.rglob("*"))
    for answer in ("n\n", ""):
        refused = course("forget", WHO, answer=answer)
        assert refused.exit_code == 1
        assert str(own_class.course.root / "submitted" / WHO) in refused.output
    assert sorted(own_class.course.root.rglob("*")) == before
    assert course("forget", WHO, answer="y\n").exit_code == 0
    assert not (own_class.course.root / "submitted" / WHO).exists()


def test_what_cannot_be_removed_is_said(
    own_class: Class, exchange: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files within a student's folder in the exchange are the student's."""
    remove = shutil.rmtree

    def as_the_grader(path: Path) -> None:
        if "inbound" in path.parts:
            raise PermissionError(path)
        remove(path)

    monkeypatch.setattr(privacy.shutil, "rmtree", as_the_grader)
    done = course("forget", WHO, "--yes")
    assert done.exit_code == 1
    assert done.output.count("Not removed") == 2 and f"dana+{NAME}+2027+y" in done.output


def test_names_that_a_person_must_look_at(own_class: Class, exchange: Path) -> None:
    (own_class.course.root / f"{NAME}.log").write_text("dana\nnbgrader failed")
    assert course("export", NAME).exit_code in (0, 1)
    done = course("forget", WHO, "--yes")
    assert (
        done.exit_code == 0 and f"still stands in {own_class.course.root}/{NAME}.log" in done.output
    )
    assert f"exports/{NAME}.csv" in done.output


@pytest.mark.parametrize("name", ["", "..", "../ada", "/etc", "nobody"])
def test_only_a_student_can_be_forgotten(own_class: Class, exchange: Path, name: str) -> None:
    before = sorted(own_class.root.rglob("*"))
    assert course("forget", "--yes", "--", name).exit_code == 2
    assert sorted(own_class.root.rglob("*")) == before

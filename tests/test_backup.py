"""Backup and restore: a round trip while the gradebook is written, and damage that is found."""

import gzip
import io
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from tiny_class import NAME, Class
from typer.testing import CliRunner, Result

from autograder import classroom
from autograder.cli import app
from autograder.course import Course


def course(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], env={"COLUMNS": "200"})


@pytest.fixture
def kept(at_class: Class, tmp_path: Path) -> Path:
    file = tmp_path / "kept.tar.gz"
    done = course("backup", file)
    assert done.exit_code == 0, done.output
    assert "course's key" in done.output
    return file


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def scores(root: Path) -> dict[str, float]:
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as book:
        return {each.student.id: each.score for each in book.assignment_submissions(NAME)}


def test_a_round_trip_keeps_everything(at_class: Class, kept: Path, tmp_path: Path) -> None:
    assert kept.stat().st_mode & 0o777 == 0o600
    done = course("restore", kept, "--into", tmp_path / "back")
    assert done.exit_code == 0, done.output
    before, after = contents(at_class.course.root), contents(tmp_path / "back")
    assert before.pop("gradebook.db") and after.pop("gradebook.db")
    assert before == after and "audit.jsonl" in after and "MANIFEST.json" not in after
    assert scores(tmp_path / "back") == scores(at_class.course.root)
    back = Course(tmp_path / "back")
    assert back.key() == at_class.course.key()  # refused, if others could read it
    page = back.feedback(NAME, "ada") / "tiny.html"
    changed = (at_class.course.feedback(NAME, "ada") / "tiny.html").stat().st_mtime
    assert int(page.stat().st_mtime) == int(changed)
    api = classroom.nbgrader_api(back)
    assert classroom._is_graded(api, back, at_class.assignment, "ada")


def test_the_gradebook_is_of_one_moment(own_class: Class, tmp_path: Path) -> None:
    """Somebody is in the middle of a transaction, which is not in the backup."""
    file = own_class.course.root / "gradebook.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE grade SET auto_score = 99")
        assert course("backup", tmp_path / "kept.tar.gz").exit_code == 0
        writer.execute("ROLLBACK")
    assert course("restore", tmp_path / "kept.tar.gz", "--into", tmp_path / "back").exit_code == 0
    assert max(scores(tmp_path / "back").values()) == 3.5


def test_nothing_is_overwritten(at_class: Class, kept: Path, tmp_path: Path) -> None:
    before = kept.read_bytes()
    again = course("backup", kept)
    assert again.exit_code == 2 and "choose another name" in again.output
    assert kept.read_bytes() == before
    inside = course("backup", at_class.course.root / "kept.tar.gz")
    assert inside.exit_code == 2 and "in the course folder itself" in inside.output
    full = course("restore", kept)  # COURSE_DIR is the class
    assert full.exit_code == 2 and "move it away first" in full.output
    assert not list(tmp_path.glob("*.part"))


def test_a_folder_that_cannot_be_made_is_named_and_an_empty_one_stays(
    kept: Path, tmp_path: Path
) -> None:
    blocked = course("restore", kept, "--into", kept / "course")
    assert blocked.exit_code == 2 and "cannot be written" in blocked.output
    empty = tmp_path / "empty"
    empty.mkdir()
    which = empty.stat().st_ino
    assert course("restore", kept, "--into", empty).exit_code == 0
    assert empty.stat().st_ino == which and (empty / "key").is_file()
    assert not list(empty.glob(".restoring-*"))


def test_links_are_left_out_and_said(own_class: Class, tmp_path: Path) -> None:
    (own_class.course.root / "submitted" / "ada" / "link").symlink_to("/etc/passwd")
    (own_class.course.root / "folder").symlink_to("/etc")
    done = course("backup", tmp_path / "kept.tar.gz")
    assert done.exit_code == 1
    assert "submitted/ada/link" in done.output and "no file: folder" in done.output


def test_a_gradebook_on_a_server_is_said(own_class: Class, tmp_path: Path) -> None:
    with own_class.course.config_file.open("a") as file:
        file.write("c.CourseDirectory.db_url = 'postgresql://x:y@localhost/z'\n")
    done = course("backup", tmp_path / "kept.tar.gz")
    assert done.exit_code == 1 and "pg_dump" in done.output


def rewritten(file: Path, name: str, content: bytes) -> None:
    """The archive with another content of one file."""
    with tarfile.open(file) as archive:
        members = {each.name: archive.extractfile(each).read() for each in archive}  # type: ignore[union-attr]
    members[name] = content
    with tarfile.open(file, "w:gz") as archive:
        for each, data in members.items():
            entry = tarfile.TarInfo(each)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("key", "key has changed"),
        ("new.txt", "new.txt is lost or was added"),
        ("../evil.txt", "is no backup of a course"),
        ("/tmp/evil.txt", "is no backup of a course"),
    ],
)
def test_what_is_not_what_was_kept_is_refused(
    kept: Path, tmp_path: Path, name: str, reason: str
) -> None:
    rewritten(kept, name, b"other")
    done = course("restore", kept, "--into", tmp_path / "back")
    assert done.exit_code == 2 and reason in done.output
    assert {path.name for path in tmp_path.iterdir()} == {"kept.tar.gz"}


def test_a_file_that_was_cut_off_is_refused(kept: Path, tmp_path: Path) -> None:
    whole = kept.read_bytes()
    plain = gzip.decompress(whole)
    end = plain.index(b"MANIFEST.json")
    for content in (whole[: len(whole) // 2], gzip.compress(plain[:end]), b"nothing"):
        kept.write_bytes(content)
        done = course("restore", kept, "--into", tmp_path / "back")
        assert done.exit_code == 2, done.output
        assert {path.name for path in tmp_path.iterdir()} == {"kept.tar.gz"}


def test_a_place_that_may_not_be_entered_is_named(
    at_class: Class, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator names a file of root's; the grader's account cannot even look there."""

    def denied(path: Path, *more: object, **how: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", denied)
    shown = course("backup", str(tmp_path / "b.tar.gz"))
    assert shown.exit_code == 2
    assert "b.tar.gz cannot be written: Permission denied" in shown.output

"""Collecting from the exchange, where every folder is a student's and may be prepared."""

import errno
import getpass
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from autograder import build
from autograder.classroom import nbgrader_api
from autograder.config import assignments
from autograder.course import Course, open_course
from autograder.nbgrader_parts.autograde import _secret

TINY = Path(__file__).parent / "fixtures" / "tiny"
NAME = "00_tiny"
ME = getpass.getuser()
Submit = Callable[..., Path]


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Course]:
    """A course folder whose exchange lies in `exchange/` beside it."""
    root = tmp_path / "tiny"
    shutil.copytree(TINY, root)
    monkeypatch.chdir(root)
    assignments.cache_clear()
    build.write(assignments()[0])
    made = open_course(root / "course")
    with made.config_file.open("a") as file:
        file.write(f"c.Exchange.root = {str(root / 'exchange')!r}\n")
    (root / "exchange").mkdir()
    (root / "exchange").chmod(0o777)
    (root / "exchange/tiny/inbound").mkdir(parents=True)
    yield made
    assignments.cache_clear()


@pytest.fixture
def submit(course: Course) -> Submit:
    def submit(who: str = ME, when: str | None = None, text: str = "{}") -> Path:
        when = when or f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f} UTC"
        folder = course.root.parent / "exchange/tiny/inbound" / f"{who}+{NAME}+{when}+abcdefghijkl"
        folder.mkdir()
        (folder / "tiny.ipynb").write_text(text)
        (folder / "timestamp.txt").write_text(when)
        return folder

    return submit


def collect(course: Course) -> str:
    outcome = nbgrader_api(course).collect(NAME)
    assert outcome["success"], outcome
    return outcome["log"]


def collected(course: Course) -> dict[str, str]:
    folder = course.submitted(NAME, ME)
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.*")}


def test_a_submission_arrives_with_its_time(course: Course, submit: Submit) -> None:
    folder = submit(text="mine")
    (folder / "data").mkdir()
    (folder / "data" / "policy.safetensors").write_text("weights")
    collect(course)
    when = (folder / "timestamp.txt").read_text()
    assert collected(course) == {
        "tiny.ipynb": "mine",
        "data/policy.safetensors": "weights",
        "timestamp.txt": when,
    }
    (folder / "tiny.ipynb").write_text("changed after it was collected")
    assert "No newer submission" in collect(course)


def test_a_newer_submission_replaces_the_older(course: Course, submit: Submit) -> None:
    submit(text="first")
    collect(course)
    submit(text="second")
    collect(course)
    assert collected(course)["tiny.ipynb"] == "second"


def test_links_pipes_and_shared_files_are_left_out(course: Course, submit: Submit) -> None:
    secret = course.root.parent / "secret.txt"
    secret.write_text("THE SECRET")
    folder = submit()
    (folder / "tiny.ipynb").unlink()
    (folder / "tiny.ipynb").symlink_to(secret)
    (folder / "elsewhere").symlink_to(course.root)
    os.link(secret, folder / "hard.txt")
    os.mkfifo(folder / "pipe.txt")
    log = collect(course)
    assert set(collected(course)) == {"timestamp.txt"}
    assert "'hard.txt' is left out" in log and "'pipe.txt' is left out" in log


@pytest.mark.parametrize("left", [None, ""])
def test_a_submission_that_was_broken_off_replaces_nothing(
    course: Course, submit: Submit, left: str | None
) -> None:
    """On a full exchange nbgrader copies what there is room for, and then no time."""
    submit(text="whole")
    half = submit(text="ha")
    (half / "timestamp.txt").unlink()
    if left is not None:
        (half / "timestamp.txt").write_text(left)
    assert "submitting it was broken off" in collect(course)
    assert collected(course)["tiny.ipynb"] == "whole"


def test_what_the_course_folder_has_no_room_for_is_collected_again(
    course: Course, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(text="first")
    collect(course)
    submit(text="second")

    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        outcome = nbgrader_api(course).collect(NAME)
    assert not outcome["success"] and "Make room, and collect again" in outcome["log"]
    collect(course)
    assert collected(course)["tiny.ipynb"] == "second"


def test_nobody_submits_for_somebody_else(course: Course, submit: Submit) -> None:
    submit("somebody")
    assert f"it names 'somebody' and belongs to {ME}" in collect(course)
    assert not course.submitted(NAME, "somebody").exists()


def test_odd_names_stop_nobody(course: Course, submit: Submit) -> None:
    inbound = submit(text="mine").parent
    for name in (f"x+{NAME}+yesterday+y", f"x+{NAME}+", f"+{NAME}+0+", f"x+{NAME}+1\n2+z"):
        (inbound / name).mkdir()
    (inbound / f"{ME}+{NAME}+2998-01-01 00:00:00.0 UTC+link").symlink_to(course.root)
    assert collect(course).count("Not collected") == 5
    assert collected(course)["tiny.ipynb"] == "mine"


@pytest.mark.parametrize("claim", ["2020-01-01 00:00:00.0 UTC", "2999-01-01 00:00:00.0 UTC"])
def test_a_time_that_the_file_system_contradicts(
    course: Course, submit: Submit, claim: str
) -> None:
    folder = submit(when=claim)
    os.utime(folder / "tiny.ipynb", (0, 0))
    os.utime(folder, (0, 0))
    log = collect(course)
    when = collected(course)["timestamp.txt"]
    assert when.startswith(f"{datetime.now(UTC):%Y-%m-%d}")
    assert f"submitted at {claim[:10]}" in log and "counts" in log


def test_the_secret_of_feedback(tmp_path: Path) -> None:
    path = tmp_path / "submission_secret.txt"
    new = _secret(tmp_path)
    assert len(new) == 128 and new != _secret(tmp_path)
    path.write_text("ab" * 64)
    assert _secret(tmp_path) == "ab" * 64
    path.write_text("../" * 40)
    assert "." not in _secret(tmp_path)

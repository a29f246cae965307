"""The contract of the command line: exit status, JSON, and the course folder's key."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autograder import build
from autograder.cli import app
from autograder.config import CourseError, assignments
from autograder.course import DEVELOPMENT_KEY, key_for_scoring, open_course

TINY = Path(__file__).parent / "fixtures" / "tiny"
NAME = "00_tiny"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = tmp_path / "tiny"
    shutil.copytree(TINY, root)
    monkeypatch.chdir(root)
    monkeypatch.delenv("COURSE_DIR", raising=False)
    assignments.cache_clear()
    yield root
    assignments.cache_clear()


def course(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


def test_starting_up_imports_nothing_heavy() -> None:
    code = "import sys, autograder.cli; print([m for m in sys.modules if m in "
    code += "('torch', 'nbgrader', 'jupytext', 'nbformat', 'pytest')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


VERBS = [
    *("list", "build", "check", "score", "grade", "release", "leaderboard", "doctor"),
    *(
        "report",
        "solutions",
        "erratum",
        "backup",
        "restore",
        "forget",
        "export",
        "extend",
        "regrade",
    ),
]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_a_course_option(verb: str) -> None:
    shown = course(verb, "--help")
    assert shown.exit_code == 0
    assert "--course" in shown.output


def test_list_as_json(root: Path) -> None:
    shown = course("list", "--json")
    assert shown.exit_code == 0
    (entry,) = json.loads(shown.stdout)
    assert entry["name"] == NAME
    assert entry["exercises"] == {"double": 2, "Counter": 1.5}
    assert entry["manual"] == {"written_square": 4}
    assert (entry["points"], entry["manual_points"]) == (3.5, 4)


def test_build_and_its_check(root: Path) -> None:
    assert course("build", "--check").exit_code == 1
    assert course("build").exit_code == 0
    assert course("build", "--check").exit_code == 0
    source = root / "solutions" / NAME / "tiny.py"
    source.write_text(source.read_text().replace("CONSTANT = 10", "CONSTANT = 11"))
    stale = course("build", NAME, "--check")
    assert stale.exit_code == 1
    assert "differs from its source: run `course build 00_tiny`" in stale.output


def test_an_unknown_assignment_cannot_be_done(root: Path) -> None:
    for arguments in (["build", "99"], ["score", "x.ipynb", "--assignment", "99"], ["grade", "99"]):
        shown = course(*arguments)
        assert shown.exit_code == 2
        assert "There is no assignment '99'. course.toml lists: 00_tiny" in shown.output
    assert "Did you mean '00_tiny'?" in course("grade", "0_Tiny").output


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('notebook = "tiny"\n', "", "course.toml, assignment 00_tiny: notebook is missing"),
        ('notebook = "tiny"', "points = 3", "unknown setting 'points'; there are name, notebook"),
        ('notebook = "tiny"', "notebook = tiny", "course.toml cannot be read: Invalid value (at"),
        ("minutes = ", 'minutes = "1"  # ', "minutes must be a whole number, without quotes"),
        ("release = ", "release = 2026-09-07  # ", "release must be a day, a time and an offset"),
        ("due = ", "due = 2026-09-07T08:00:00  # ", "due must be a day, a time and an offset"),
        ("test_cpu_seconds", "test_seconds", "unknown setting 'test_seconds'"),
        ("[limits]", "[[assignment]]\nname = '00_tiny'\n[limits]", "notebook is missing"),
    ],
)
def test_a_course_toml_that_makes_no_sense(root: Path, old: str, new: str, message: str) -> None:
    file = root / "course.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    assignments.cache_clear()
    shown = course("list")
    assert shown.exit_code == 2
    assert message in shown.output.replace("\n", " ")


def test_two_assignments_of_one_name(root: Path) -> None:
    file = root / "course.toml"
    entry = file.read_text().partition("[[assignment]]")[2].partition("[limits]")[0]
    file.write_text(f"{file.read_text()}\n[[assignment]]{entry}")
    assignments.cache_clear()
    assert "2 assignments called '00_tiny'" in course("list").output


def test_score_as_json(root: Path) -> None:
    build.write(assignments()[0])
    source, released = f"build/source/{NAME}/tiny.ipynb", f"assignments/{NAME}/tiny.ipynb"
    line = ["score", source, released, "nowhere.ipynb", "--assignment", NAME, "--json"]
    first = course(*line)
    assert first.exit_code == 1
    full, stub, missing = json.loads(first.stdout)
    assert (full["notebook"], full["assignment"]) == (source, NAME)
    assert (full["score"], full["max_score"], full["status"]) == (3.5, 3.5, "graded")
    assert full["incidents"] == [] and full["manual"] == {"written_square": 4}
    test = full["exercises"]["Counter"]["tests"][0]
    assert test == {
        "name": "test_calls_are_counted",
        "outcome": "passed",
        "weight": 1.0,
        "message": "",
        "tried": "",
    }
    assert (stub["score"], stub["status"]) == (0, "graded")
    assert (missing["score"], missing["status"]) == (0, "missing")
    assert course(*line).stdout == first.stdout
    assert not (root / "course").exists()


def test_grading_needs_submissions(root: Path) -> None:
    build.write(assignments()[0])
    shown = course("grade", NAME)
    assert shown.exit_code == 2
    assert "Nobody has handed in 00_tiny" in shown.output
    (root / "course" / "submitted" / "ada" / NAME).mkdir(parents=True)
    (root / "course" / "submitted" / "ben.ipynb").touch()
    shown = course("grade", NAME, "--student", "adda")
    assert shown.exit_code == 2 and "Did you mean 'ada'?" in shown.output
    assert "submitted/ben.ipynb. What is graded lies in" in shown.output


def test_what_lies_in_the_wrong_place_is_named(tmp_path: Path) -> None:
    folder = open_course(tmp_path / "course")
    right = folder.submitted(NAME, "ada")
    wrong = [
        *(folder.root / "submitted" / path for path in ("ben.ipynb", f"{NAME}/cem/tiny.ipynb")),
        *(folder.root / "submitted" / path for path in ("dana/tiny.ipynb", "eve/00_tny/t.ipynb")),
    ]
    for file in (right / "tiny.ipynb", right.parent / ".DS_Store", *wrong):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    named = [str(path.relative_to(folder.root / "submitted")) for path in folder.misplaced([NAME])]
    assert named == [NAME, "ben.ipynb", "dana/tiny.ipynb", "eve/00_tny"]


def test_an_interrupted_verb_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("autograder.overview.overview", interrupted)
    shown = course("list")
    assert shown.exit_code == 130 and "start it again" in shown.output


def test_the_key_is_made_once_and_kept_secret(tmp_path: Path) -> None:
    folder = open_course(tmp_path / "course")
    key = folder.key()
    assert len(key) == 32 and key != DEVELOPMENT_KEY
    assert folder.key_file.stat().st_mode & 0o777 == 0o600
    assert open_course(tmp_path / "course").key() == key
    assert key_for_scoring(folder.root) == key
    assert key_for_scoring(tmp_path / "nowhere") == DEVELOPMENT_KEY


def test_the_development_key_grades_nobody(root: Path) -> None:
    folder = open_course(root / "course")
    folder.key_file.write_bytes(DEVELOPMENT_KEY)
    with pytest.raises(CourseError, match="development key"):
        folder.key()
    folder.submitted(NAME, "ada").mkdir(parents=True)
    shown = course("grade", NAME)
    assert shown.exit_code == 2
    assert "development key" in shown.output
    assert open_course(root / "demo", development=True).key() == DEVELOPMENT_KEY


@pytest.mark.parametrize(
    ("mode", "content", "reason"),
    [
        (0o644, b"k" * 32, "can be read by others"),
        (0o600, b"short", "is damaged"),
    ],
)
def test_a_key_in_doubt_is_refused(tmp_path: Path, mode: int, content: bytes, reason: str) -> None:
    folder = open_course(tmp_path / "course")
    folder.key_file.write_bytes(content)
    folder.key_file.chmod(mode)
    with pytest.raises(CourseError, match=reason):
        folder.key()


def test_release_checks_first(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build.write(assignments()[0])
    monkeypatch.setattr("autograder.check.check", lambda *args, **kwargs: {})
    monkeypatch.setattr("autograder.check.problems", lambda report: ["double: a mutant passes"])
    refused = course("release", "next")
    assert refused.exit_code == 1
    assert "a mutant passes" in refused.output
    assert not list((root / "course" / "release").iterdir())


def test_release_makes_and_keeps_the_version(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build.write(assignments()[0])
    monkeypatch.setattr("autograder.check.check", lambda *args, **kwargs: {})
    monkeypatch.setattr("autograder.check.problems", lambda report: [])
    shown = course("release")
    assert shown.exit_code == 0, shown.output
    made = root / "course" / "release" / NAME / "tiny.ipynb"
    assert str(made) in shown.output
    wanted = json.loads((root / "assignments" / NAME / "tiny.ipynb").read_text())
    assert json.loads(made.read_text()) == wanted
    version = wanted["metadata"]["sft2rl"]["release"]
    assert (root / "course" / "versions" / NAME / f"{version}.ipynb").is_file()
    assert course("release", "next").exit_code == 2


def test_release_goes_through_the_exchange(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build.write(assignments()[0])
    monkeypatch.setattr("autograder.check.check", lambda *args, **kwargs: {})
    monkeypatch.setattr("autograder.check.problems", lambda report: [])
    exchange = root / "exchange"
    exchange.mkdir(mode=0o777)
    exchange.chmod(0o777)
    folder = open_course(root / "course")
    with folder.config_file.open("a") as file:
        file.write(f"c.Exchange.root = {str(exchange)!r}\n")
    shown = course("release", NAME)
    assert shown.exit_code == 0, shown.output
    assert (exchange / "tiny" / "outbound" / NAME / "tiny.ipynb").is_file()


def test_doctor_says_what_is_missing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from autograder.doctor import require_sandbox
    from autograder.zygote import forget_zygotes

    require_sandbox.cache_clear()
    forget_zygotes()
    monkeypatch.setenv("PATH", "/nowhere")
    shown = course("doctor")
    require_sandbox.cache_clear()
    assert shown.exit_code == 1
    assert "apt-get install bubblewrap" in shown.output
    assert not os.path.exists(root / "course")


def test_nothing_is_released_before_its_date(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build.write(assignments()[0])
    monkeypatch.setattr("autograder.check.check", lambda *args, **kwargs: {})
    monkeypatch.setattr("autograder.check.problems", lambda report: [])
    listed = root / "course.toml"
    listed.write_text(listed.read_text().replace("release = 2026", "release = 2999"))
    assignments.cache_clear()
    refused = course("release", "next")
    assert refused.exit_code == 1
    assert "00_tiny is to be released from 07 September 2999, 08:00 +0200" in refused.output
    assert not list((root / "course" / "release").iterdir())

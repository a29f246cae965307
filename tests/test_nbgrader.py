"""The replaced parts of nbgrader: a class in a real course folder with a real gradebook."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from tiny_class import NAME, RIGHT, SCRIPTS, Class, text

from autograder import build, classroom, grade, results
from autograder.config import assignments
from autograder.nbgrader_parts.html import safe_markdown2html, score_table
from sft2rl import __version__

FULL = {"test_double": (2.0, False), "test_Counter": (1.5, False), "written_square": (None, True)}
NOTHING = {
    "test_double": (0.0, False),
    "test_Counter": (0.0, False),
    "written_square": (0.0, False),
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    """A class after `course grade`."""
    group = Class(tmp_path_factory.mktemp("class") / "tiny")
    right = group.answered(**RIGHT)
    group.hand_in("ada", text(right))
    wrong = {**RIGHT, "double": "def double(x): return 2 * abs(x)"}
    group.hand_in("ben", text(group.answered(**wrong)))
    group.hand_in("cem", text(group.release()))
    late = group.hand_in("dana", text(right))
    (late / "timestamp.txt").write_text("2026-09-30 10:00:00 UTC")
    group.hand_in("empty", "")
    group.hand_in("json", "not a notebook")
    group.hand_in("renamed", text(right), "my homework.ipynb")
    group.hand_in("nobody", None)
    secret = group.root / "secret.ipynb"
    secret.write_text(text(group.answered(**{**RIGHT, "written_square": "THE SECRET"})))
    linked = group.hand_in("linked", None)
    (linked / "tiny.ipynb").symlink_to(secret)
    (linked / "data.txt").symlink_to(secret)
    (linked / "timestamp.txt").write_text("yesterday \x00")
    missing = group.answered(**RIGHT)
    missing.cells = [cell for cell in missing.cells if cell.id != "Counter"]
    group.hand_in("missing", text(missing))
    points = group.answered(**RIGHT)
    for cell in points.cells:
        if "points" in cell.metadata.get("nbgrader", {}):
            cell.metadata.nbgrader.points = 400
            cell.metadata.nbgrader.schema_version = 1
    group.hand_in("points", text(points))
    before = snapshot(group.course.root / "submitted")
    done = group.run("course", "grade", NAME)
    assert done.returncode == 0, done.stderr
    assert snapshot(group.course.root / "submitted") == before
    group.table = done.stdout
    yield group


@pytest.fixture
def inside(graded: Class, monkeypatch: pytest.MonkeyPatch) -> Iterator[NbGraderAPI]:
    """nbgrader in this process, as formgrader has it, in the class's project."""
    monkeypatch.chdir(graded.root)
    assignments.cache_clear()
    yield classroom.nbgrader_api(graded.course)
    assignments.cache_clear()


def snapshot(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("student", "grades"),
    [
        ("ada", FULL),
        ("ben", {**FULL, "test_double": (1.0, False)}),
        ("cem", NOTHING),
        ("dana", FULL),
        ("empty", NOTHING),
        ("json", NOTHING),
        ("renamed", FULL),
        ("nobody", NOTHING),
        ("linked", NOTHING),
        ("missing", {**FULL, "test_Counter": (0.0, False)}),
        ("points", FULL),
    ],
)
def test_everybody_has_the_right_grade(graded: Class, student: str, grades: dict) -> None:
    assert graded.grades(student) == grades


@pytest.mark.parametrize(
    ("student", "reason"),
    [
        ("empty", "Unreadable notebook: the file is empty."),
        ("json", "Unreadable notebook: it is not JSON."),
        ("linked", "Unreadable notebook: it is a link, not a file."),
        ("nobody", "No notebook of this assignment was found."),
        ("renamed", "my homework.ipynb was read in place of tiny.ipynb"),
        ("missing", "This cell was deleted"),
    ],
)
def test_feedback_says_what_happened(graded: Class, student: str, reason: str) -> None:
    assert reason in graded.feedback(student)


def test_feedback_shows_each_hidden_test_and_nothing_hidden(graded: Class) -> None:
    page = graded.feedback("ben")
    assert "integers are doubled" in page
    assert '<a href="#test_double">double</a>' in page and "Test cell" not in page
    assert '<a href="#written_square">Written response: written_square</a>' in page
    assert "The sign of the argument must survive." in page
    assert "mistakes" not in page and "twice_the_argument" not in page and "Rubric" not in page


def test_feedback_says_once_what_several_tests_met(graded: Class) -> None:
    """Two tests of one stub share a row, which lists what they tried; the other stub has one."""
    page = graded.feedback("cem")
    assert page.count("raised NotImplementedError") == 2
    assert "<li><em>integers are doubled</em>: A whole number</li>" in page
    assert "<li><em>negative numbers are doubled</em>: A negative number</li>" in page


def hidden_test(name: str, message: str, tried: str = "") -> results.TestResult:
    outcome = "failed" if message else "passed"
    return results.TestResult(f"test_{name}", outcome, 1.0, message, tried)


def test_only_neighbours_with_the_same_message_share_a_row() -> None:
    tests = [
        hidden_test("one", "Wrong. Look: 1 < 2.", "An `a`, e.g. b"),
        hidden_test("two", "Wrong. Look: 1 < 2.", "A b"),
        hidden_test("three", ""),
        hidden_test("four", ""),
        hidden_test("five", "Wrong. Look: 1 < 2.", "A c vs. a d"),
        hidden_test("six", "Wrong.", "A d"),
        hidden_test("seven", "There is no <policy>."),
        hidden_test("eight", "There is no <policy>."),
    ]
    page = score_table(results.ExerciseResult(1.0, 4.0, tests), "")
    rows = [re.sub("<strong>.*?</strong>", "", row) for row in page.split("<tr")[1:]]
    inner = [re.findall("<td>(.*?)</td>", row)[1:] for row in rows]
    assert inner == [
        ["2\xa0tests", "Wrong. Look: 1 &lt; 2.<ul><li><em>one</em>: An <code>a</code>, e.g. b</li>"
         "<li><em>two</em>: A b</li></ul>"],
        ["three", ""],
        ["four", ""],
        ["five", "A c vs. a d. Wrong. Look: 1 &lt; 2."],
        ["six", "A d. Wrong."],
        ["2\xa0tests", "There is no &lt;policy&gt;.<ul><li><em>seven</em></li>"
         "<li><em>eight</em></li></ul>"],
    ]  # fmt: skip
    assert [row.startswith(' class="danger"') for row in rows] == [True, False, False] + [True] * 3


def test_nbgraders_own_step_makes_the_same_page(graded: Class, inside: NbGraderAPI) -> None:
    with Gradebook(graded.db_url) as book:
        grade_ = book.find_grade("written_square", "tiny", NAME, "dana")
        comment = book.find_comment("written_square", "tiny", NAME, "dana")
        grade_.manual_score, grade_.extra_credit, comment.manual_comment = 2.0, 0.5, "Well done"
        book.db.commit()
    done = inside.generate_feedback(NAME, "dana")
    assert done["success"] and "not recognized" not in done["log"]
    page = graded.feedback("dana")
    ours, *rest = inside.config.GenerateFeedback.preprocessors
    assert ours.endswith(".SettledGetGrades") and "Well done" in page
    inside.config.GenerateFeedback.preprocessors = ["nbgrader.preprocessors.GetGrades", *rest]
    assert inside.generate_feedback(NAME, "dana")["success"]
    assert graded.feedback("dana") == page
    with Gradebook(graded.db_url) as book:
        grade_ = book.find_grade("written_square", "tiny", NAME, "dana")
        comment = book.find_comment("written_square", "tiny", NAME, "dana")
        grade_.manual_score = grade_.extra_credit = comment.manual_comment = None
        book.db.commit()


def test_pages_contain_no_script_of_a_student(graded: Class) -> None:
    page = graded.feedback("ada")
    assert "<script>alert" not in page
    assert 'href="javascript' not in page
    assert "<strong>growth</strong>" in page


def test_nothing_else_of_a_submission_is_copied(graded: Class) -> None:
    assert "THE SECRET" not in str(snapshot(graded.course.root / "autograded").values())
    assert not (graded.course.autograded(NAME, "linked") / "data.txt").exists()


def test_the_table_names_students_and_reasons(graded: Class) -> None:
    words = " ".join(graded.table.split())
    assert "3.5 / 3.5" in words and "late" in words
    assert "the file is empty" in words


def test_stock_tools_agree_with_the_score_in_the_notebook(graded: Class) -> None:
    """Whoever runs nbgrader's own SaveAutoGrades on our result stores the same number."""
    from nbgrader.utils import determine_grade

    cells = {cell.id: cell for cell in graded.autograded("ben").cells}
    assert determine_grade(cells["test_double"]) == (1.0, 2.0)


def test_every_grade_leaves_a_record(graded: Class) -> None:
    lines = [json.loads(line) for line in graded.course.audit_file.read_text().splitlines()]
    records = {line["student"]: line for line in lines}
    assert records["ada"]["score"] == 3.5 and records["json"]["status"] != "graded"
    assert records["ada"]["key"] == records["ben"]["key"]
    assert records["ada"]["submission"] != records["ben"]["submission"]
    kept = graded.autograded("ada").metadata.sft2rl.audit
    assert {name: records["ada"][name] for name in kept} == kept
    assert kept["versions"]["sft2rl"] == __version__
    assert set(kept) == {"submission", "release", "suite", "key", "versions", "sandbox"}
    secret = graded.course.key()
    assert secret.hex() not in str(lines) and str(secret) not in str(lines)


def test_grading_again_leaves_what_is_unchanged(graded: Class) -> None:
    path = graded.course.autograded(NAME, "ada") / "tiny.ipynb"
    before = path.stat().st_mtime_ns
    assert graded.run("course", "grade", NAME, "--student", "ada").returncode == 0
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("option", [[], ["--no-execute"]])
def test_nbgrader_autograde_gives_the_same(graded: Class, option: list[str]) -> None:
    line = ["nbgrader", "autograde", NAME, "--student=ben", "--force", *option]
    done = graded.run(*line)
    assert done.returncode == 0, done.stderr
    assert graded.grades("ben") == {**FULL, "test_double": (1.0, False)}


def test_the_button_of_formgrader_gives_the_same(graded: Class, inside: NbGraderAPI) -> None:
    assert inside.autograde(NAME, "ben", force=True)["success"]
    assert graded.grades("ben") == {**FULL, "test_double": (1.0, False)}


def test_a_score_by_hand_survives_grading_again(graded: Class, inside: NbGraderAPI) -> None:
    with Gradebook(f"sqlite:///{graded.course.root / 'gradebook.db'}") as book:
        grade_ = book.find_grade("written_square", "tiny", NAME, "dana")
        grade_.manual_score, grade_.needs_manual_grade = 3.0, False
        book.db.commit()
    assert inside.autograde(NAME, "dana", force=True)["success"]
    with Gradebook(f"sqlite:///{graded.course.root / 'gradebook.db'}") as book:
        assert book.find_submission(NAME, "dana").score == 6.5


def test_the_table_has_the_points_that_a_person_gave(graded: Class, inside: NbGraderAPI) -> None:
    with Gradebook(graded.db_url) as book:
        grade_ = book.find_grade("test_double", "tiny", NAME, "ben")
        grade_.manual_score, grade_.needs_manual_grade = 1.5, False
        book.db.commit()
        row = classroom.read_row(inside, graded.course, graded.assignment, "ben")
        grade_.manual_score = None
        book.db.commit()
    assert row.score == 3 and row.happened == ("double 1.5 of 2",)


def test_a_file_without_a_time_of_submission_is_new_by_its_own(tmp_path: Path) -> None:
    group = Class(tmp_path / "tiny")
    api = classroom.nbgrader_api(group.course)
    folder = group.hand_in("ada", "{}")
    (folder / "timestamp.txt").unlink()
    page = group.course.autograded(NAME, "ada") / "tiny.ipynb"

    def again() -> bool:
        return classroom.handed_in_again(api, group.course, group.assignment, "ada")

    assert not again()
    page.parent.mkdir(parents=True)
    page.touch()
    os.utime(folder / "tiny.ipynb", (1, 1))
    assert not again()
    os.utime(page, (0, 0))
    assert again()
    for graded in (folder, page.parent):
        (graded / "timestamp.txt").write_text("2026-09-20 10:00:00 UTC")
    assert not again()


def test_files_are_looked_for_where_they_were_handed_in(graded: Class, inside, monkeypatch) -> None:
    seen = []
    target = "autograder.nbgrader_parts.execute.add_artefacts"
    monkeypatch.setattr(target, lambda result, assignment, folder: seen.append(folder))
    assert inside.autograde(NAME, "missing", force=True)["success"]
    assert seen == [graded.course.submitted(NAME, "missing")]


def test_our_own_fault_means_review_by_hand(graded: Class, inside, monkeypatch) -> None:
    def broken(*args: object, **options: object) -> None:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr("autograder.scoring.score_notebook", broken)
    assert inside.autograde(NAME, "missing", force=True)["success"]
    assert graded.grades("missing") == {
        "test_double": (None, True),
        "test_Counter": (None, True),
        "written_square": (None, True),
    }
    assert graded.course.autograded(NAME, "missing").is_dir()


def test_an_exercise_that_was_not_in_the_notebook_is_for_a_person(
    graded: Class, inside: NbGraderAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = graded.release()
    older.cells = [cell for cell in older.cells if cell.id not in ("Counter", "test_Counter")]
    monkeypatch.setattr(grade.Releases, "find", lambda self, release: (older, ()))
    assert inside.autograde(NAME, "points", force=True)["success"]
    assert graded.grades("points") == {**FULL, "test_Counter": (None, True)}


def test_without_our_execute_step_nobody_has_points(graded: Class, inside: NbGraderAPI) -> None:
    inside.config.SandboxExecute.enabled = False
    assert inside.autograde(NAME, "renamed", force=True)["success"]
    assert set(graded.grades("renamed").values()) == {(None, True)}


def test_without_a_sandbox_nothing_is_graded(graded: Class) -> None:
    group = graded
    env = {**os.environ, "PATH": "/nowhere", "COURSE_DIR": str(group.course.root)}
    line = [SCRIPTS / "course", "grade", NAME, "--force"]
    done = subprocess.run(line, cwd=group.root, env=env, capture_output=True, text=True)
    assert done.returncode == 2
    assert "bubblewrap" in done.stderr and "Traceback" not in done.stderr
    assert group.grades("ada") == FULL


def test_a_submission_is_graded_on_the_version_it_was_made_from(tmp_path: Path) -> None:
    group = Class(tmp_path / "tiny")
    given = group.release()
    assert group.run("course", "release", NAME, "--help").returncode == 0
    classroom.generate(classroom.nbgrader_api(group.course), group.course, group.assignment)
    source = group.assignment.solution
    source.write_text(source.read_text().replace("CONSTANT = 10", "CONSTANT = 11"))
    build.write(group.assignment)
    releases = grade.Releases(group.assignment, group.course.versions(NAME))
    version, incidents = releases.find(given.metadata.sft2rl.release)
    assert version.cells == given.cells and incidents == ()
    version, incidents = releases.find("0" * 16)
    assert version == releases.current
    assert [each.code for each in incidents] == ["release-unknown"]
    assert releases.find("../../key")[0] == releases.current


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)> ![b](https://evil.example/b.png)",
        "[x](javascript:alert(1)) <a href='&#106;avascript:alert(1)'>y</a>",
        r"$\href{javascript:alert(1)}{x}$",
        "<div class='modal' style='position:fixed' onclick='x()'>over everything</div>",
        "<iframe src='https://evil.example'></iframe><form action='/'><input></form>",
    ],
)
def test_markdown_is_rendered_safely(source: str) -> None:
    page = safe_markdown2html(source)
    for bad in (
        "<script",
        "<img",
        "onerror",
        'href="java',
        "\\href",
        "modal",
        "style",
        "<iframe",
        "<form",
    ):
        assert bad not in page

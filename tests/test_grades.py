"""Grades out: late policy, extensions, exports, grading again, on a real gradebook."""

import csv
import json
import multiprocessing
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from nbgrader.api import Gradebook, MissingEntry
from test_cli import course
from tiny_class import NAME, RIGHT, TINY, Class, text
from typer.testing import Result

from autograder import extensions
from autograder.config import CourseError, assignments
from autograder.course import Course
from autograder.export import Column, Line, canvas, moodle
from autograder.grade import grader_failed
from autograder.late import LatePolicy
from autograder.marks import Person

POLICY = """
[late]
grace_minutes = 10
percent_per_day = 10
max_percent = 50
latest_days = 7
"""
# The deadline is 2026-09-21 21:59 UTC.
HANDED_IN = {
    "ada": "2026-09-21 20:00:00",
    "ben": "2026-09-23 08:00:00",
    "cem": "2026-09-21 22:04:00",
    "dana": "2026-09-30 10:00:00",
    "eli": "2026-09-23 08:00:00",
}
ROSTER = """\
id,first_name,last_name,email,lms_user_id
ada,Ada,Lovelace,ada@example.edu,101
ben,"=HYPERLINK(""http://x"")",Özil,ben@example.edu,102
cem,Cem,@SUM(A1),cem@example.edu,103
dana,Dana,Doe,dana@example.edu,s104
eli,Eli,Ely,eli@example.edu,105
fay,Fay,Fox,,106
gus,Gus,Gill,gus@example.edu,107
"""


@contextmanager
def inside(group: Class) -> Iterator[None]:
    """The class's project is the current one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(group.root)
        patch.setenv("COURSE_DIR", str(group.course.root))
        assignments.cache_clear()
        yield
    assignments.cache_clear()


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Class:
    """A class after grading by machine and, but for cem, by hand."""
    group = Class(tmp_path_factory.mktemp("grades") / "tiny")
    listed = group.root / "course.toml"
    listed.write_text(listed.read_text() + POLICY)
    (group.root / "roster.csv").write_text(ROSTER)
    for student, when in HANDED_IN.items():
        answers = dict(RIGHT)
        if student == "ben":
            answers["double"] = "def double(x): return 2 * abs(x)"
        folder = group.hand_in(student, text(group.answered(**answers)))
        (folder / "timestamp.txt").write_text(f"{when} UTC")
    done = group.run("nbgrader", "db", "student", "import", str(group.root / "roster.csv"))
    assert done.returncode == 0, done.stderr
    run(group, "extend", NAME, "eli", "--until", "2026-09-24")
    run(group, "extend", NAME, "gus", "--until", "2999-01-01T12:00")
    group.table = run(group, "grade", NAME).stdout
    by_hand(group, {"ada": 3.0, "ben": 2.0, "dana": 3.0, "eli": 4.0})
    return group


def run(group: Class, *arguments: str, status: int = 0) -> Result:
    with inside(group):
        shown = course(*arguments)
    assert shown.exit_code == status, shown.output
    return shown


@contextmanager
def book(group: Class) -> Iterator[Gradebook]:
    with Gradebook(f"sqlite:///{group.course.root / 'gradebook.db'}") as book:
        yield book


def by_hand(group: Class, points: dict[str, float]) -> None:
    """What a TA does in formgrader."""
    with book(group) as grades:
        for student, score in points.items():
            grade = grades.find_grade("written_square", "tiny", NAME, student)
            grade.manual_score, grade.needs_manual_grade = score, False
            comment = grades.find_comment("written_square", "tiny", NAME, student)
            comment.manual_comment = f"for {student}"
        grades.db.commit()


def table(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text("utf-8").splitlines()))


def records(path: Path) -> dict[str, dict[str, str]]:
    return {row["id"]: row for row in csv.DictReader(path.read_text("utf-8").splitlines())}


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- late policy and extensions -----------------------------------------------------------


def test_days_begun_after_the_grace_cost_up_to_the_cap() -> None:
    policy = LatePolicy(grace_minutes=10, percent_per_day=10, max_percent=25, latest_days=7)
    hours = [0, 0.1, 0.2, 24, 24.1, 100, 7 * 24, 7 * 24 + 0.1]
    lost = [policy.lost(3600 * each) for each in hours]
    assert lost == [0, 0, 0.1, 0.1, 0.2, 0.25, 0.25, 1]
    assert LatePolicy().lost(10**9) == 0 and LatePolicy().is_late(1)


def test_the_penalty_is_in_the_gradebook_and_the_extension_counts(group: Class) -> None:
    with book(group) as grades:
        found = {
            each.student.id: (each.total_seconds_late, each.late_submission_penalty)
            for each in grades.assignment_submissions(NAME)
        }
    assert found["ada"] == (0, 0)
    assert found["ben"] == (34 * 3600 + 60, pytest.approx(0.2 * 2.5))
    assert found["cem"] == (300, 0)
    assert found["dana"][1] == pytest.approx(3.5)
    assert found["eli"] == (0, 0)
    flags: dict[str, list[str]] = {}
    for line in group.table.splitlines():
        if line.startswith("\N{BOX DRAWINGS LIGHT VERTICAL}"):
            student, _, _, flag, _ = [each.strip() for each in line[1:-1].split(line[0])]
            flags.setdefault(student or list(flags)[-1], []).append(flag)
    assert flags["ben"][:2] == ["late", "penalty 0.5"]
    assert flags["eli"] == ["extended to 24 Sep 23:59"]
    assert flags["cem"] == [""] and flags["dana"] == ["late", "penalty 3.5"]


def test_feedback_takes_the_penalty_of_all_points(group: Class) -> None:
    from autograder import classroom

    with inside(group):
        api = classroom.nbgrader_api(group.course)
        assert api.generate_feedback(NAME, "ben", force=True)["success"]
    with book(group) as grades:
        penalty = grades.find_submission(NAME, "ben").late_submission_penalty
    assert penalty == pytest.approx(0.2 * 4.5)
    assert "Late submission penalty (Score: -0.9)" in group.feedback("ben")


def test_extensions_are_listed_and_taken_back(group: Class) -> None:
    listed = json.loads(run(group, "extend", "--json").stdout)
    assert [(row["student"], row["until"]) for row in listed] == [
        ("eli", "2026-09-24T23:59:00+02:00"),
        ("gus", "2999-01-01T12:00:00+02:00"),
    ]
    assert "published anew" in run(group, "extend", NAME, "dana", "--days", "9").stdout
    with book(group) as grades:
        submission = grades.find_submission(NAME, "dana")
        assert (submission.total_seconds_late, submission.late_submission_penalty) == (0, 0)
    run(group, "extend", NAME, "dana", "--remove")
    with book(group) as grades:
        submission = grades.find_submission(NAME, "dana")
        assert submission.total_seconds_late > 0 and submission.late_submission_penalty == 6.5
    assert "dana" not in run(group, "extend").stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([NAME, "adda", "--days", "1"], "is called 'adda'. Did you mean 'ada'?"),
        ([NAME, "ada", "--until", "2026-09-21"], "is not after the deadline"),
        ([NAME, "ada", "--until", "tomorrow"], "is no date"),
        ([NAME, "ada", "--days", "1", "--remove"], "Say one of"),
        ([NAME, "--days", "1"], "which student"),
    ],
)
def test_an_extension_that_cannot_be_is_refused(
    group: Class, arguments: list[str], reason: str
) -> None:
    before = (group.course.root / "extensions.toml").read_text()
    assert reason in run(group, "extend", *arguments, status=2).output
    assert (group.course.root / "extensions.toml").read_text() == before


def test_a_deadline_that_moves_moves_no_extension(group: Class) -> None:
    listed = group.root / "course.toml"
    before = listed.read_text()
    try:
        listed.write_text(before.replace("due = 2026-09-21", "due = 2026-09-22"))
        run(group, "grade", NAME)
        with book(group) as grades:
            assert grades.find_submission(NAME, "ben").total_seconds_late == 10 * 3600 + 60
            assert str(grades.find_submission(NAME, "eli").duedate) == "2026-09-24 21:59:00"
    finally:
        listed.write_text(before)
    run(group, "grade", NAME)
    with book(group) as grades:
        assert grades.find_submission(NAME, "ben").total_seconds_late == 34 * 3600 + 60
        assert str(grades.find_submission(NAME, "eli").duedate) == "2026-09-24 21:59:00"


def test_a_wrong_policy_stops_grading(group: Class) -> None:
    listed = group.root / "course.toml"
    before = listed.read_text()
    try:
        listed.write_text(before.replace("percent_per_day = 10", "percent_per_day = 110"))
        shown = run(group, "grade", NAME, status=2)
        assert "percent_per_day must be a number from 0 to 100" in shown.output
        listed.write_text(before.replace("percent_per_day", "percent_a_day"))
        assert "unknown setting 'percent_a_day'" in run(group, "grade", NAME, status=2).output
    finally:
        listed.write_text(before)


class Nothing:
    """A gradebook without submissions."""

    def find_submission(self, *names: str) -> None:
        raise MissingEntry


def test_extensions_of_several_people_at_once_are_all_kept(tmp_path: Path) -> None:
    assignment = assignments(TINY)[0]
    folder, until = Course(tmp_path), extensions.until_when(assignment, "2026-12-24")

    def grant(name: str) -> None:
        for number in range(20):
            student = f"{name}{number}"
            extensions.set_extension(folder, Nothing(), assignment, student, until)

    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=grant, args=(name,)) for name in "abcd"]
    for each in processes:
        each.start()
    for each in processes:
        each.join()
    assert len(extensions.read(folder)[NAME]) == 80


def test_a_damaged_file_of_extensions_is_named(tmp_path: Path) -> None:
    path = tmp_path / "extensions.toml"
    for content in ("[00_tiny\n", "[00_tiny]\nada = 3\n", "[00_tiny]\nada = 2026-09-24\n"):
        path.write_text(content)
        with pytest.raises(CourseError, match="extensions.toml"):
            extensions.read(Course(tmp_path))


# --- exports ------------------------------------------------------------------------------


def test_csv_has_every_point_of_everybody(group: Class, tmp_path: Path) -> None:
    new = group.hand_in("new", text(group.release()))
    run(group, "export", NAME, "--to", str(tmp_path / "grades.csv"), status=1)
    shutil.rmtree(new.parent)
    rows = records(tmp_path / "grades.csv")
    assert list(rows) == ["cem", "dana", "eli", "fay", "gus", "ada", "ben", "new"]
    sums = ["machine", "hand", "late_seconds", "penalty", "points", "max_points", "status"]
    assert list(rows["ada"])[4:] == ["double", "Counter", "written_square", *sums]
    values = {name: list(row.values())[4:] for name, row in rows.items()}
    assert values["ada"] == ["2", "1.5", "3", "3.5", "3", "0", "0", "6.5", "7.5", "graded"]
    assert values["ben"] == ["1", "1.5", "2", "2.5", "2", "122460", "0.9", "3.6", "7.5", "graded"]
    assert values["cem"] == ["2", "1.5", "0", "3.5", "0", "300", "0", "3.5", "7.5", "to grade"]
    assert values["dana"][-4:] == ["6.5", "0", "7.5", "graded"]
    assert values["eli"][-5:] == ["0", "0", "7.5", "7.5", "graded"]
    assert values["fay"] == [""] * 8 + ["7.5", "not handed in"]
    assert values["gus"][-1] == "extended" and values["new"][-1] == "not graded"


def test_no_name_becomes_a_formula(group: Class) -> None:
    for arguments in ((NAME,), (NAME, "--format", "moodle"), (NAME, "--format", "canvas")):
        run(group, "export", *arguments, status=1)
    files = list((group.course.root / "exports").iterdir())
    assert len(files) == 3
    cells = [cell for path in files for row in table(path) for cell in row]
    assert any(cell == '\'=HYPERLINK("http://x")' for cell in cells)
    assert any(cell == "'@SUM(A1)" for cell in cells)
    assert [cell for cell in cells if cell.startswith(("=", "+", "@")) or cell[:2] == "-1"] == []


def test_moodle_gets_final_grades_under_identifiers_that_all_have(group: Class) -> None:
    shown = run(group, "export", NAME, "--format", "moodle", status=1)
    assert "cem (00_tiny: to grade)" in shown.output and "gus (00_tiny: extended)" in shown.output
    assert table(group.course.root / "exports" / f"{NAME}.moodle.csv") == [
        ["First name", "Last name", "Username", "ID number", "Email address", "Tiny"],
        ["Dana", "Doe", "dana", "s104", "dana@example.edu", "0"],
        ["Eli", "Ely", "eli", "105", "eli@example.edu", "7.5"],
        ["Ada", "Lovelace", "ada", "101", "ada@example.edu", "6.5"],
        ['\'=HYPERLINK("http://x")', "Özil", "ben", "102", "ben@example.edu", "3.6"],
    ]


def test_moodle_has_no_column_with_an_empty_identifier() -> None:
    lines = [Line(Person("a", email="a@x"), (1.0,)), Line(Person("b"), (None,))]
    assert moodle([Column("T", 2)], lines) == [
        ["First name", "Last name", "Username", "T"],
        ["", "", "a", "1"],
        ["", "", "b", "-"],
    ]


def test_canvas_gets_its_columns_and_points_possible(group: Class) -> None:
    listed = group.root / "course.toml"
    before = listed.read_text()
    try:
        listed.write_text(before.replace("minutes = 5", "minutes = 5\ncanvas_id = 4711"))
        run(group, "export", NAME, "--format", "canvas", status=1)
    finally:
        listed.write_text(before)
    rows = table(group.course.root / "exports" / f"{NAME}.canvas.csv")
    assert rows[:4] == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Tiny (4711)"],
        ["Points Possible", "", "", "", "", "7.5"],
        ["Doe, Dana", "", "s104", "dana", "", "0"],
        ["Ely, Eli", "105", "", "eli", "", "7.5"],
    ]
    assert len(rows) == 6


@pytest.mark.parametrize(
    ("title", "person"),
    [("Final Grade", Person("a")), ("Part (2)", Person("a")), ("T", Person("=a"))],
)
def test_canvas_refuses_what_it_would_misread(title: str, person: Person) -> None:
    with pytest.raises(CourseError):
        canvas([Column(title, 1)], [Line(person, (1.0,))])


SECOND = """
[[assignment]]
name = "01_more"
notebook = "more"
title = "More"
section = "1"
release = 2026-09-07T08:00:00+02:00
due = 2026-09-28T23:59:00+02:00
minutes = 5
"""


def test_the_total_is_weighted(group: Class, tmp_path: Path) -> None:
    listed = group.root / "course.toml"
    before = listed.read_text()
    released = group.root / "assignments" / "01_more" / "more.ipynb"
    released.parent.mkdir()
    released.write_text(text(group.release()))
    with book(group) as grades, grades.db.no_autoflush:
        grades.add_assignment("01_more", duedate="2026-09-28T21:59:00")
        grades.add_notebook("more", "01_more")
        grades.add_grade_cell("test_x", "more", "01_more", max_score=22.5, cell_type="code")
        grades.add_submission("01_more", "ada", timestamp="2026-09-20T00:00:00")
        grade = grades.find_grade("test_x", "more", "01_more", "ada")
        grade.auto_score, grade.needs_manual_grade = 22.5, False
        grades.db.commit()
    autograded = group.course.autograded("01_more", "ada")
    autograded.mkdir()
    result = {"metadata": {"sft2rl": {"result": {"status": "graded"}}}}
    (autograded / "more.ipynb").write_text(json.dumps(result))
    totals = []
    try:
        for weights in (("", ""), ("weight = 3", "weight = 1")):
            first = before.replace("minutes = 5", f"minutes = 5\n{weights[0]}")
            listed.write_text(first + SECOND + weights[1])
            run(group, "export", "total", "--to", str(tmp_path / "total.csv"), status=1)
            totals.append(records(tmp_path / "total.csv"))
        listed.write_text(before.replace("minutes = 5", "minutes = 5\nweight = 3") + SECOND)
        shown = run(group, "export", "total", status=2)
        assert "none to 01_more" in shown.output
        listed.write_text(before + SECOND)
        run(group, "export", "total", "--format", "canvas", status=1)
    finally:
        listed.write_text(before)
    by_points, weighted = totals
    ada = 100 * (6.5 + 22.5) / 30
    assert list(by_points["ada"].values())[4:] == ["6.5", "22.5", f"{ada:.4f}", "final"]
    assert list(by_points["fay"].values())[4:] == ["", "", "0", "final"]
    assert by_points["cem"]["status"] == "00_tiny: to grade"
    assert float(weighted["ada"]["total_percent"]) == pytest.approx(75 * 6.5 / 7.5 + 25)
    assert float(weighted["eli"]["total_percent"]) == pytest.approx(75)
    rows = table(group.course.root / "exports" / "total.canvas.csv")
    assert rows[0][5:] == ["Tiny", "More", "Course total"]
    assert rows[1][5:] == ["7.5", "22.5", "100"]
    assert ["Fox, Fay", "106", "", "fay", "", "0", "0", "0"] in rows


def test_an_export_without_a_class_says_what_to_do(group: Class, tmp_path: Path) -> None:
    shown = run(group, "export", NAME, "--course", str(tmp_path), status=2)
    assert "is no course folder" in shown.output


# --- grading again ------------------------------------------------------------------------


@pytest.fixture
def mended(group: Class) -> Iterator[Class]:
    """The class, with a suite that asks for |2x|, and for a Counter that counts from 0."""
    suite = group.assignment.suite
    before = suite.read_text()
    after = before.replace('equals(2 * x, "The sign', 'equals(2 * abs(x), "No sign')
    after = after.replace("[1, 2, 3], ", "[0, 1, 2], ")
    assert after.count("abs") == 1 and after.count("[0, 1, 2]") == 1
    suite.write_text(after)
    yield group
    suite.write_text(before)


def machine(group: Class, student: str) -> dict[str, float | None]:
    return {name: score for name, (score, _) in group.grades(student).items()}


def test_a_dry_run_says_what_would_change_and_changes_nothing(
    mended: Class, tmp_path: Path
) -> None:
    before = snapshot(mended.course.root)
    to = ("--to", str(tmp_path / "report"))
    shown = run(mended, "regrade", NAME, "--exercise", "double", "--dry-run", *to)
    assert snapshot(mended.course.root) == before
    assert "5 of 5 students would change" in shown.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    found = {each["student"]: each for each in report["changes"]}
    assert {name: (each["before"], each["after"]) for name, each in found.items()} == {
        "ben": (1, 2),
        **dict.fromkeys(("ada", "cem", "dana", "eli"), (2, 1)),
    }
    (test,) = found["ben"]["tests"]
    assert (test["before"], test["after"]) == ("failed", "passed")
    assert test["message_before"] == "A negative number. The sign of the argument must survive."
    row = table(tmp_path / "report.csv")[1]
    assert row[:6] == ["ada", "double", "2", "1", "-1", "no"]
    assert row[6:9] == ["test_negative_numbers_are_doubled", "passed", "failed"]
    assert "No sign of the argument" in row[10]


def test_only_the_named_exercise_changes_and_hands_work_stays(mended: Class) -> None:
    feedback = mended.feedback("eli")
    with book(mended) as grades:
        grade = grades.find_grade("test_double", "tiny", NAME, "dana")
        grade.manual_score = 1.75
        grades.db.commit()
    chosen = ("--student", "ben", "--student", "dana")
    shown = run(mended, "regrade", NAME, "--exercise", "double", *chosen)
    assert "points by hand count" in " ".join(shown.stdout.split())
    assert machine(mended, "ben") == {
        "test_double": 2.0,
        "test_Counter": 1.5,
        "written_square": None,
    }
    assert mended.grades("dana")["test_double"] == (1.0, True), "a person looks once more"
    assert mended.feedback("eli") == feedback
    with book(mended) as grades:
        submission = grades.find_submission(NAME, "ben")
        assert submission.score == 2 + 1.5 + 2
        assert submission.late_submission_penalty == pytest.approx(0.2 * 5.5)
        assert not submission.needs_manual_grade, "what was finished by hand stays finished"
        comment = grades.find_comment("written_square", "tiny", NAME, "ben")
        assert comment.manual_comment == "for ben"
        assert grades.find_submission(NAME, "dana").score == 1.75 + 1.5 + 3
    lines = map(json.loads, mended.course.audit_file.read_text().splitlines())
    scores = {line["student"]: line["score"] for line in lines if line.get("regrade")}
    assert scores == {"ben": 3.5, "dana": 2.5}
    (report,) = (mended.course.root / "regrades").glob(f"{NAME}-*.json")
    assert len(json.loads(report.read_text())["changes"]) == 2
    with book(mended) as grades:
        grades.find_grade("test_double", "tiny", NAME, "dana").manual_score = None
        grades.db.commit()


def test_without_an_exercise_all_may_change_and_a_second_time_none_does(mended: Class) -> None:
    run(mended, "regrade", NAME, "--student", "ada")
    assert machine(mended, "ada") == {
        "test_double": 1.0,
        "test_Counter": 0.0,
        "written_square": None,
    }
    assert "0 of 1 students changed" in run(mended, "regrade", NAME, "--student", "ada").stdout


def test_who_handed_in_again_is_left_to_course_grade(mended: Class) -> None:
    stamp = mended.course.submitted(NAME, "cem") / "timestamp.txt"
    before = stamp.read_text()
    grades = mended.grades("cem")
    stamp.write_text("2026-09-22 10:00:00 UTC")
    try:
        shown = run(mended, "regrade", NAME, "--student", "cem", status=1)
    finally:
        stamp.write_text(before)
    assert "cem: handed in again since" in shown.output
    assert mended.grades("cem") == grades


def test_a_fault_of_ours_takes_no_grade_away(group: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(notebooks: Iterable, *options: object) -> Iterator[tuple]:
        for student, notebook in notebooks:
            yield student, grader_failed(notebook)

    monkeypatch.setattr("autograder.regrade.grade_many", failing)
    before = group.grades("eli")
    shown = run(group, "regrade", NAME, "--student", "eli", status=1)
    assert "eli: the grader failed" in shown.output
    assert group.grades("eli") == before


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--exercise", "triple"], "has no exercise 'triple'. It has: double, Counter"),
        (["--student", "fay"], "fay: 00_tiny is not graded. What was handed in"),
        (["--student", "Ada"], "Ada: 00_tiny is not graded. Did you mean 'ada'?"),
    ],
)
def test_what_cannot_be_graded_again_is_said(
    group: Class, arguments: list[str], reason: str
) -> None:
    assert reason in run(group, "regrade", NAME, *arguments, status=2).output


def test_two_do_not_grade_at_once(group: Class) -> None:
    code = (
        "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.lockf(f, fcntl.LOCK_EX);"
        "print('held', flush=True); sys.stdin.read()"
    )
    line = [sys.executable, "-c", code, str(group.course.root / ".writing.lock")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(line, **pipes) as other:
        assert other.stdout.readline() == b"held\n"
        for verb in (("grade", NAME), ("regrade", NAME), ("forget", "fay", "--yes")):
            shown = run(group, *verb, status=2)
            assert "Somebody else is grading" in shown.output
        other.stdin.close()

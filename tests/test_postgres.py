"""A gradebook in PostgreSQL: the same as in SQLite, also when the database is lost on the way."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from eight import PAGES, SOME, grade, make_class, outcome
from nbgrader.api import Gradebook
from postgres import Postgres
from tiny_class import NAME, Class

from autograder import classroom
from autograder.config import CourseError
from autograder.nbgrader_parts import execute
from autograder.nbgrader_parts.save import TrustedSaveAutoGrades

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
import move_gradebook  # noqa: E402


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.close()


def in_postgres(folder: Path, server: Postgres, database: str) -> Class:
    group = make_class(folder / "tiny", SOME)
    group.use_database(server.url(database))
    return group


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory, server: Postgres) -> Class:
    """A class whose connections were cut while a grade was written; see the first test."""
    group = in_postgres(tmp_path_factory.mktemp("postgres"), server, "cut")
    group.cut = []
    add_score, score = TrustedSaveAutoGrades._add_score, execute.grade

    def cut_once(self, cell, resources) -> None:
        if self.student_id == "student1" and not group.cut:
            group.cut.append(server.end_connections())
        add_score(self, cell, resources)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrustedSaveAutoGrades, "_add_score", cut_once)
        patch.setattr(execute, "grade", lambda *args: pytest.fail("graded a second time"))
        grade(group, 2, SOME)
    assert execute.grade is score
    return group


def test_a_class_is_the_same_when_connections_were_cut(undisturbed: dict, graded: Class) -> None:
    assert graded.cut == [1]
    assert outcome(graded, SOME) == {each: undisturbed[each] for each in SOME}
    assert not (graded.course.root / "gradebook.db").exists()


def test_formgrader_reads_it(graded: Class) -> None:
    api = classroom.nbgrader_api(graded.course)
    (assignment,) = api.get_assignments()
    assert assignment["num_submissions"] == 4 and assignment["average_code_score"] > 0
    scores = {each["student"]: each["code_score"] for each in api.get_submissions(NAME)}
    assert scores == {"student0": 3.5, "student1": 1.5, "student2": 2.0, "student3": 0.0}
    submissions = api.get_notebook_submissions(NAME, "tiny")
    assert {each["student"]: each["needs_manual_grade"] for each in submissions} == {
        each: any(by_hand for _, by_hand in graded.grades(each).values()) for each in SOME
    }
    assert {each["id"] for each in api.get_students()} == set(SOME)


def test_a_gradebook_is_moved_whole(
    undisturbed: dict, graded: Class, server: Postgres, tmp_path: Path
) -> None:
    sqlite, moved = f"sqlite:///{tmp_path / 'gradebook.db'}", server.url("moved")
    rows = move_gradebook.move(graded.db_url, sqlite)
    assert rows == move_gradebook.move(sqlite, moved) > 50
    with pytest.raises(SystemExit, match="not empty"):
        move_gradebook.move(sqlite, moved)
    graded.use_database(moved)
    assert outcome(graded, SOME) == {each: undisturbed[each] for each in SOME}


def test_a_grade_that_the_gradebook_has_lost_is_found_again(
    undisturbed: dict, graded: Class
) -> None:
    """As after a restored backup: the files say that it was graded."""
    with Gradebook(graded.db_url) as book:
        book.remove_submission(NAME, "student0")
    kept = (graded.course.autograded(NAME, "student1") / "tiny.ipynb").stat().st_mtime_ns
    grade(graded, 1, SOME)
    assert outcome(graded, SOME) == {each: undisturbed[each] for each in SOME}
    assert (graded.course.autograded(NAME, "student1") / "tiny.ipynb").stat().st_mtime_ns == kept


def test_a_server_that_stops_is_named_and_the_next_run_goes_on(
    undisturbed: dict, server: Postgres, tmp_path: Path
) -> None:
    group = in_postgres(tmp_path, server, "stopped")

    def stop_at_the_second(student: str) -> None:
        if len(list(group.course.root.glob(PAGES))) == 2:
            server.stop()

    try:
        with pytest.raises(CourseError, match=r"database cannot be used .*start this again"):
            grade(group, 2, SOME, progress=stop_at_the_second)
        done = group.run("course", "grade", NAME)
    finally:
        server.start()
    assert done.returncode == 2 and "database cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
    kept = {path: path.stat().st_mtime_ns for path in group.course.root.glob(PAGES)}
    assert len(kept) == 2
    grade(group, 2, SOME)
    assert outcome(group, SOME) == {each: undisturbed[each] for each in SOME}
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())

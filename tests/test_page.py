"""The course's page without a browser: its numbers, its queue, and why a job is refused."""

import asyncio
import inspect
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tornado.web import HTTPError
from typer.testing import CliRunner

import sft2rl
from autograder import build, classroom, page
from autograder.cli import app
from autograder.config import CourseError, assignments
from autograder.course import Course, open_course
from autograder.page import work
from autograder.page.jobs import Job, Jobs
from autograder.page.state import overview

TINY = Path(__file__).parent / "fixtures" / "tiny"
NAME = "00_tiny"
EARLY, LATE = "2026-09-20 10:00:00 UTC", "2026-09-21 10:00:00.123456 UTC"


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Course]:
    root = tmp_path / "tiny"
    shutil.copytree(TINY, root)
    monkeypatch.chdir(root)
    assignments.cache_clear()
    build.write(assignments()[0])
    made = open_course(root / "course")
    with made.config_file.open("a") as file:
        file.write(f"c.Exchange.root = {str(root / 'exchange')!r}\n")
    (root / "exchange/tiny/inbound").mkdir(parents=True)
    monkeypatch.setenv("COURSE_DIR", str(made.root))
    yield made
    assignments.cache_clear()


def handed_in(folder: Path, when: str) -> None:
    folder.mkdir(parents=True)
    (folder / "timestamp.txt").write_text(when)


def test_the_numbers_of_a_class(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """ada is graded; ben has submitted again since; cem is not collected; dana is not graded.

    Somebody else has put a folder in ada's name into the exchange.
    """
    mine = {"ben": os.getuid(), "cem": os.getuid()}
    monkeypatch.setattr("autograder.nbgrader_parts.collect.uid_of", lambda who: mine.get(who, -1))
    inbound = course.root.parent / "exchange/tiny/inbound"
    for student in ("ada", "ben"):
        handed_in(course.submitted(NAME, student), EARLY)
        handed_in(course.autograded(NAME, student), EARLY)
    handed_in(course.submitted(NAME, "dana"), EARLY)
    for student in ("ada", "ben", "cem"):
        handed_in(inbound / f"{student}+{NAME}+{LATE}+xyz", LATE)
    (inbound / f"eve+{NAME}+never+xyz").mkdir()
    (inbound / f"eve+01_other+{LATE}+{NAME}+xyz").mkdir()
    shown = overview(course.root)
    (row,) = shown["assignments"]
    assert (row["submitted"], row["graded"]) == (4, 1)
    assert (row["flagged"], row["by_hand"], row["published"]) == (0, 0, 0)
    assert not row["released"] and shown["next"] == NAME
    assert shown["version"] == sft2rl.__version__
    (course.versions(NAME)).mkdir(parents=True)
    (course.versions(NAME) / "0123456789abcdef.ipynb").touch()
    assert overview(course.root)["next"] == ""


def test_the_queue_refuses_what_it_does_not_know(course: Course) -> None:
    jobs = Jobs()
    with pytest.raises(CourseError, match="no action"):
        jobs.add("delete", NAME)
    with pytest.raises(CourseError, match="00_tiny"):
        jobs.add("grade", "../../etc")
    assert jobs.as_list() == []


def run(*wanted: tuple[str, str]) -> list[Job]:
    """Queue jobs in a real loop, and wait until all have ended."""

    async def main() -> list[Job]:
        jobs = Jobs()
        queued = [jobs.add(action, assignment) for action, assignment in wanted]
        assert [job.state for job in queued] == ["waiting"] * len(queued)
        while not all(job.ended for job in queued):
            await asyncio.sleep(0.05)
            running = {job.id for job in queued if job.state == "running"}
            assert len(running) <= 1
        assert jobs._runner is not None
        await jobs._runner
        return queued

    return asyncio.run(main())


def test_jobs_wait_their_turn_and_the_same_one_is_not_queued_twice(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are refused: nothing was graded, and the date has not come."""
    listed = course.root.parent / "course.toml"
    listed.write_text(listed.read_text().replace("release = 2026", "release = 2999"))
    publish, again, release = run(("publish", NAME), ("publish", NAME), ("release", NAME))
    assert publish is again
    assert publish.state == "refused"
    assert publish.reasons == ["Nothing is graded yet: press Grade all first."]
    assert release.state == "refused"
    assert "00_tiny is to be released from 07 September 2999" in release.reasons[0]
    assert not list((course.root / "release").iterdir())


def test_a_job_that_breaks_says_so_and_the_next_one_runs(course: Course) -> None:
    course.config_file.write_text("raise SystemExit(3)")
    grade, publish = run(("grade", NAME), ("publish", NAME))
    assert grade.state == publish.state == "failed"
    assert grade.reasons == ["It ended unexpectedly: the server's log has the reason."]


def test_what_libraries_print_does_not_reach_the_channel(course: Course) -> None:
    with course.config_file.open("a") as file:
        file.write("print('noise')\nimport os\nos.write(1, b'more noise\\n')\n")
    (grade,) = run(("grade", NAME))
    assert (grade.state, grade.text) == ("done", "0 graded, 0 to review by hand")
    assert os.environ["COURSE_DIR"] == str(course.root)


def test_a_database_that_is_away_is_said_before_the_suite_is_proved(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    with course.config_file.open("a") as file:
        file.write("c.CourseDirectory.db_url = 'postgresql://x:y@127.0.0.1:1/z'\n")
    monkeypatch.setattr(classroom, "refusals", lambda assignment: pytest.fail("proved first"))
    with pytest.raises(CourseError, match="database cannot be used"):
        work.Work(course, assignments()[0], io.StringIO()).release()
    shown = CliRunner().invoke(app, ["release", NAME])
    assert shown.exit_code == 2 and "database cannot be used" in shown.output
    state = object.__new__(page.State)
    with pytest.raises(HTTPError, match="database cannot be used") as stopped:
        asyncio.run(inspect.unwrap(page.State.get)(state))
    assert stopped.value.status_code == 503

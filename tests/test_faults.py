"""Faults while a class is graded: afterwards the gradebook is that of an undisturbed run."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from eight import ANSWERS, PAGES, STUDENTS, grade, make_class, outcome
from nbgrader.api import Gradebook
from tiny_class import NAME, RIGHT, SCRIPTS, text

from autograder import classroom, pool
from autograder.grade import digest
from autograder.zygote import zygote


def test_the_number_of_workers_changes_nothing(undisturbed: dict, tmp_path: Path) -> None:
    group = make_class(tmp_path / "tiny")
    grade(group, 4)
    assert outcome(group) == undisturbed


def test_killed_workers_and_warm_processes_change_nothing(
    undisturbed: dict, tmp_path: Path
) -> None:
    group = make_class(tmp_path / "tiny")
    killed = []

    def kill_something(student: str) -> None:
        if int(student[-1]) % 2:
            return
        victims = [each for each in psutil.Process().children() if each.name() != "alembic"]
        victim = random.Random(student).choice(victims)
        victim.kill()
        killed.append(victim.pid)

    grade(group, 2, progress=kill_something)
    assert len(killed) == len(STUDENTS) / 2
    assert outcome(group) == undisturbed


def test_what_is_handed_in_while_it_is_graded_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = make_class(tmp_path / "tiny", STUDENTS[:1])
    group.hand_in(STUDENTS[0], text(group.answered(**ANSWERS[1])))

    def hand_in_again(*args: object) -> None:
        group.hand_in(STUDENTS[0], text(group.answered(**RIGHT)))

    monkeypatch.setattr(classroom, "add_artefacts", hand_in_again)
    (row,) = grade(group, 1, STUDENTS[:1])
    assert row.score == row.max_score == 3.5
    assert group.grades(STUDENTS[0])["test_double"] == (2.0, False)


def test_an_interrupted_run_goes_on_where_it_was(undisturbed: dict, tmp_path: Path) -> None:
    group = make_class(tmp_path / "tiny")
    command = [SCRIPTS / "course", "grade", NAME, "--workers", "2"]
    env = {**os.environ, "COURSE_DIR": str(group.course.root)}
    for done in (1, 3):
        run = subprocess.Popen(command, cwd=group.root, env=env, start_new_session=True)
        while len(list(group.course.root.glob(PAGES))) < done and run.poll() is None:
            time.sleep(0.02)
        run.send_signal(signal.SIGKILL)
        run.wait()
    kept = {path: path.stat().st_mtime_ns for path in group.course.root.glob(PAGES)}
    assert 3 <= len(kept) < len(STUDENTS)
    grade(group, 2)
    assert outcome(group) == undisturbed
    graded_again = [path for path, when in kept.items() if path.stat().st_mtime_ns != when]
    assert len(graded_again) <= 1, "only what was being written when the run was killed"


def test_a_notebook_that_always_ends_its_worker_goes_to_a_person(
    undisturbed: dict, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    group = make_class(tmp_path / "tiny")
    deadly = digest(group.answered(**ANSWERS[1]))
    real = pool.grade_with

    def fragile(suite, notebook, key):
        if digest(notebook) == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(suite, notebook, key)

    monkeypatch.setattr(pool, "grade_with", fragile)
    rows = grade(group, 2)
    assert [row.score for row in rows[:4]] == [3.5, 0, 2, 0]
    assert "review" in rows[1].flags and rows[1].happened == ("the grader failed",)
    by_hand, other = STUDENTS[1], STUDENTS[5]
    with Gradebook(group.db_url) as book:
        for each in book.find_submission_notebook("tiny", NAME, by_hand).grades:
            each.manual_score, each.needs_manual_grade = 1.0, False
        book.db.commit()
    monkeypatch.undo()
    rows = grade(group, 2)  # once more, for what could not be graded
    assert rows[1].score == 2.0 and rows[1].happened == ("the grader failed",)
    assert outcome(group, [other]) == {other: undisturbed[other]}


def test_a_broken_suite_ends_the_run_with_a_sentence_and_grades_nobody(tmp_path: Path) -> None:
    group = make_class(tmp_path / "tiny")
    suite = group.assignment.suite
    suite.write_text(f"{suite.read_text()}\ndef test_new(student, draw): ...\n")
    done = group.run("course", "grade", NAME, "--workers", "2")
    assert done.returncode == 2
    assert "test_new: a hidden test needs @exercise" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(group.course.root.glob(PAGES))


def test_a_full_disk_is_one_sentence_and_the_next_run_mends_it(
    undisturbed: dict, tmp_path: Path
) -> None:
    group = make_class(tmp_path / "tiny")
    disk = group.course.root / "feedback"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        rows = grade(group, 2)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert any(row.failed and "nbgrader failed" in row.happened[0] for row in rows)
    grade(group, 2)
    assert outcome(group) == undisturbed


def test_no_process_is_left_behind(undisturbed: dict, tmp_path: Path) -> None:
    others = {each.pid for each in psutil.Process().children()}  # warm processes of other tests
    grade(make_class(tmp_path / "tiny"), 3)
    mine = {*others, zygote((), False)._process.pid}
    left = [each for each in psutil.Process().children() if each.pid not in mine]
    assert not [each for each in left if each.status() != psutil.STATUS_ZOMBIE]

"""Graded classes that several modules read; those that change one take a copy."""

from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from eight import grade, make_class, outcome
from tiny_class import NAME, RIGHT, Class, text

from autograder.classroom import grade_class
from autograder.config import assignments

ODD = """def double(x):
    {total} = 0
    for {step} in (0, 1):
        {total} = {total} + (x if {step} in (0, 1) else -x)  # {remark}
    if {total} - x - x != 0:
        raise ValueError("this never happens, says {remark}")
    {total} = [{total}, None, {total}][{step} + 1]
    return sum([{total}, 0, 0, -0]) if {total} is not None else None"""


@pytest.fixture(scope="session")
def graded_class(tmp_path_factory: pytest.TempPathFactory) -> Class:
    """ada is right; ben's sign is lost; cem did not begin; dana and eve share an odd answer.

    dana is late, and fay handed in a broken file.
    """
    group = Class(tmp_path_factory.mktemp("graded") / "tiny")
    first = ODD.format(total="total", step="step", remark="dana </pre><script>alert(4)</script>")
    second = ODD.format(total="s", step="k", remark="eve")
    group.hand_in("ada", text(group.answered(**RIGHT)))
    group.hand_in(
        "ben", text(group.answered(**{**RIGHT, "double": "def double(x): return abs(2 * x)"}))
    )
    group.hand_in("cem", text(group.release()))
    late = group.hand_in("dana", text(group.answered(**{**RIGHT, "double": first})))
    (late / "timestamp.txt").write_text("2026-09-23 10:00:00 UTC")
    group.hand_in("eve", text(group.answered(**{**RIGHT, "double": second})))
    group.hand_in("fay", "not a notebook")
    with chdir(group.root):
        assignments.cache_clear()
        students = group.course.students(NAME)
        assert not any(row.failed for row in grade_class(group.course, group.assignment, students))
    assignments.cache_clear()
    return group


@pytest.fixture
def at_class(graded_class: Class, monkeypatch: pytest.MonkeyPatch) -> Iterator[Class]:
    """The graded class, to look at, with this process in its project."""
    yield from _inside(graded_class, monkeypatch)


@pytest.fixture
def own_class(
    graded_class: Class, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Class]:
    """A copy of the graded class, to change."""
    yield from _inside(graded_class.copy(tmp_path / "tiny"), monkeypatch)


def _inside(group: Class, monkeypatch: pytest.MonkeyPatch) -> Iterator[Class]:
    monkeypatch.chdir(group.root)
    monkeypatch.setenv("COURSE_DIR", str(group.course.root))
    assignments.cache_clear()
    yield group
    assignments.cache_clear()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What eight students and their TAs see after a run that nothing disturbed."""
    group = make_class(tmp_path_factory.mktemp("undisturbed") / "tiny")
    rows = grade(group, 1)
    assert [row.score for row in rows[:4]] == [3.5, 1.5, 2, 0]
    return outcome(group)

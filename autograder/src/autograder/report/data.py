"""What the class report says, as numbers: read from the gradebook and the autograded notebooks."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from statistics import correlation, mean, median, stdev
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry

from autograder import cells, incidents
from autograder.build import read_source
from autograder.classroom import gradebook, nbgrader_api
from autograder.config import Assignment, CourseError
from autograder.course import Course
from autograder.deadlines import deadlines, handed_in_at
from autograder.grade import GRADED, Releases
from autograder.rebuild import OWN
from autograder.report import similarity
from autograder.results import TestResult

# Below this a correlation says nothing: its 95 % interval is wider than 1.
MIN_CLASS = 10
OWN_CELLS = "cells of their own"


@dataclass
class Hand:
    """What one student handed in, and what became of it.

    Attributes:
        status: "graded", or why there was nothing to grade.
        items: share of the points by cell, None while a person has to decide.
        points: of each cell, at most.
        result: what the hidden tests found, by exercise.
        hours: between submission and this student's deadline, negative when late; None if unknown.
        sources: what the student wrote, by exercise or answer.
        blank: the exercises that were left as they were released.
    """

    student: str
    status: str
    items: dict[str, float | None]
    points: dict[str, float]
    result: dict[str, Any]
    incidents: list[dict[str, Any]]
    hours: float | None
    sources: dict[str, similarity.Text]
    blank: set[str]


@dataclass(frozen=True)
class Item:
    """An exercise or a written answer.

    Attributes:
        share: mean share of its points, 0 to 1; None while nobody's is decided.
        full: how many have all its points.
        blank: how many left it as it was released.
        r: correlation with the sum of the other items; None when it says nothing.
        interval: its 95 % interval (Fisher's z).
    """

    name: str
    by_hand: bool
    points: float
    share: float | None
    full: int
    blank: int
    students: int
    r: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Loss:
    """A hidden test, or a message, and what it cost the class."""

    exercise: str
    what: str
    students: int
    points: float


@dataclass
class ClassReport:
    """Everything that the page shows.

    Attributes:
        scores: points of those whose notebook was graded, in order.
        counts_hand: whether `scores` hold the hand-graded points, too: only when all are given.
        others: statuses of those without a notebook to grade.
        hours: before the deadline, of all; negative when late.
        incidents: by title, the students.
    """

    assignment: str
    title: str
    scores: list[float]
    max_score: float
    counts_hand: bool
    waiting: int
    others: dict[str, list[str]]
    items: list[Item]
    tests: list[Loss]
    messages: list[Loss]
    hours: list[float]
    incidents: dict[str, list[str]]
    pairs: list[similarity.Pair] = field(default_factory=list)

    @property
    def summary(self) -> dict[str, float]:
        """Mean, median and standard deviation of the scores."""
        if not self.scores:
            return {}
        spread = stdev(self.scores) if len(self.scores) > 1 else 0.0
        return {"mean": mean(self.scores), "median": median(self.scores), "sd": spread}

    def as_dict(self) -> dict[str, Any]:
        """For --json: without the sources of similar passages."""
        pairs = [
            {
                "students": pair.students,
                "tokens": pair.tokens,
                "share": round(pair.share, 3),
                "parts": {each.part: each.tokens for each in pair.passages},
            }
            for pair in self.pairs
        ]
        rest = {name: value for name, value in vars(self).items() if name not in ("pairs", "items")}
        rest |= {name: [asdict(each) for each in rest[name]] for name in ("tests", "messages")}
        return {**rest, **self.summary, "items": list(map(asdict, self.items)), "pairs": pairs}


def collect(course: Course, assignment: Assignment) -> ClassReport:
    """The report of what is graded so far.

    Raises:
        CourseError: nobody is graded.
    """
    hands = read_hands(course, assignment)
    if not hands:
        raise CourseError(
            f"Nobody's {assignment.name} is graded yet: run `course grade {assignment.name}`."
        )
    graded = [hand for hand in hands if hand.status == GRADED]
    others: dict[str, list[str]] = defaultdict(list)
    for hand in hands:
        if hand.status != GRADED:
            others[hand.status].append(hand.student)
    written = {name for hand in graded for name in hand.items if name.startswith(cells.WRITTEN)}
    open_ = {name for hand in graded for name, share in hand.items.items() if share is None}
    counted = [name for name in _names(graded) if name not in open_ & written]
    return ClassReport(
        assignment.name,
        assignment.title,
        sorted(_total(hand, counted) for hand in graded),
        max((sum(hand.points[name] for name in counted) for hand in graded), default=0.0),
        bool(written) and not open_ & written,
        sum(None in hand.items.values() for hand in graded),
        dict(others),
        items(graded, counted),
        costly(_failed_tests(graded)),
        costly(_messages(graded)),
        sorted(hand.hours for hand in hands if hand.hours is not None),
        _incidents(hands),
        similarity.pairs({hand.student: hand.sources for hand in graded}, ours(assignment)),
    )


def read_hands(course: Course, assignment: Assignment) -> list[Hand]:
    """Every graded submission, in the order of the students' names."""
    api = nbgrader_api(course)
    releases = Releases(assignment, course.versions(assignment.name))
    found = course.root.glob(f"autograded/*/{assignment.name}/{assignment.notebook}.ipynb")
    hands = []
    with gradebook(api) as book:
        given = deadlines(course, book, assignment)
        for path in sorted(found):
            notebook = nbformat.read(path, as_version=4)
            if "result" in notebook.metadata.get("sft2rl", {}):
                student = path.parent.parent.name
                due = given.get(student, assignment.due)
                hands.append(_hand(book, assignment, student, due, notebook, releases))
    return hands


def _hand(
    book: Gradebook,
    assignment: Assignment,
    student: str,
    due: datetime,
    notebook: NotebookNode,
    releases: Releases,
) -> Hand:
    shares: dict[str, float | None] = {}
    points: dict[str, float] = {}
    hours = None
    try:
        submission = book.find_submission(assignment.name, student)
    except MissingEntry:  # graded at this moment
        submission = None
    if submission is not None:
        for grade in (each for part in submission.notebooks for each in part.grades):
            name = grade.name.removeprefix(cells.TEST)
            points[name] = grade.max_score
            decided = not grade.needs_manual_grade and grade.max_score > 0
            shares[name] = (grade.score or 0.0) / grade.max_score if decided else None
        if submission.timestamp is not None:
            left = due - handed_in_at(submission.timestamp)
            hours = left.total_seconds() / 3600
    record = notebook.metadata.sft2rl.result
    release, _ = releases.find(notebook.metadata.sft2rl.get("release"))
    stubs = {cells.grade_id(cell): cell.source for cell in release.cells}
    sources = answers(notebook)
    blank = {name for name, text in sources.items() if text.source == stubs.get(name)}
    order = [*cells.exercises(release), *cells.manual(release)]
    return Hand(
        student,
        record.status,
        {name: shares.get(name) for name in order},
        {name: points.get(name, 0.0) for name in order},
        record.exercises,
        record.incidents,
        hours,
        sources,
        blank,
    )


def answers(notebook: NotebookNode) -> dict[str, similarity.Text]:
    """What a student wrote in a rebuilt notebook: the answers, and the cells of their own."""
    found = {}
    own = []
    for cell in notebook.cells:
        name = cells.grade_id(cell)
        if name and cells.is_solution(cell):
            found[name] = similarity.Text(cell.source, cell.cell_type != "code")
        elif cell.get("id", "").startswith(OWN) and cell.cell_type == "code":
            own.append(cell.source)
    if own:
        found[OWN_CELLS] = similarity.Text("\n\n".join(own))
    return found


def ours(assignment: Assignment) -> dict[str, list[similarity.Text]]:
    """What the release and the model answers contain: nobody can have copied that from another."""
    texts: dict[str, list[similarity.Text]] = {}
    released = nbformat.read(assignment.released, as_version=4)
    for notebook in (released, read_source(assignment)):
        for index, cell in enumerate(notebook.cells):
            part = cells.grade_id(cell) or f"cell {index}"
            text = similarity.Text(cell.source, cell.cell_type != "code")
            texts.setdefault(part, []).append(text)
    return texts


def _names(hands: list[Hand]) -> list[str]:
    return list(dict.fromkeys(name for hand in hands for name in hand.items))


def _total(hand: Hand, counted: Iterable[str]) -> float:
    return sum((hand.items.get(name) or 0.0) * hand.points.get(name, 0.0) for name in counted)


def items(hands: list[Hand], counted: list[str]) -> list[Item]:
    """Difficulty and discrimination of everything that has points."""
    found = []
    for name in _names(hands):
        decided = [hand for hand in hands if hand.items.get(name) is not None]
        shares = [hand.items[name] or 0.0 for hand in decided]
        rest = [_total(hand, [each for each in counted if each != name]) for hand in decided]
        r = discrimination(shares, rest)
        found.append(
            Item(
                name,
                name.startswith(cells.WRITTEN),
                max(hand.points.get(name, 0.0) for hand in hands),
                mean(shares) if shares else None,
                sum(share > 1 - 1e-9 for share in shares),
                sum(name in hand.blank for hand in hands),
                len(shares),
                r,
                fisher(r, len(shares)) if r is not None else None,
            )
        )
    return found


def discrimination(shares: list[float], rest: list[float]) -> float | None:
    """Corrected item-total correlation; None in a small class, or where all are alike."""
    if len(shares) < MIN_CLASS or len(set(shares)) < 2 or len(set(rest)) < 2:
        return None
    return correlation(shares, rest)


def fisher(r: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a correlation, by Fisher's transformation."""
    if abs(r) >= 1:
        return r, r
    half = 1.96 / math.sqrt(n - 3)
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def _failed_tests(hands: list[Hand]) -> list[tuple[tuple[str, str], str, float]]:
    """(exercise, test), student and points for everything that failed."""
    return [
        ((name, test["name"]), hand.student, points)
        for hand in hands
        for name, test, points in _losses(hand)
    ]


def _messages(hands: list[Hand]) -> list[tuple[tuple[str, str], str, float]]:
    """(exercise, message), student and points; without exercises that were not begun.

    Where a function is missing all its tests say so: that is one mistake.
    """
    found = []
    for hand in hands:
        missing = {
            each["exercise"]: f"{each['detail']}."
            for each in hand.incidents
            if each["code"] == "missing-function"
        }
        found += [
            ((name, missing.get(name, TestResult(**test).text)), hand.student, points)
            for name, test, points in _losses(hand)
            if name not in hand.blank
        ]
    return found


def _losses(hand: Hand) -> list[tuple[str, dict[str, Any], float]]:
    found = []
    for name, each in hand.result.items():
        weights = sum(test["weight"] for test in each["tests"])
        for test in each["tests"]:
            if test["outcome"] == "failed" and each["score"] is not None:
                found.append((name, test, each["max_score"] * test["weight"] / weights))
    return found


def costly(losses: list[tuple[tuple[str, str], str, float]]) -> list[Loss]:
    """By exercise and what failed: how many it happened to, and the points; the dearest first."""
    points: Counter[tuple[str, str]] = Counter()
    students: dict[tuple[str, str], set[str]] = defaultdict(set)
    for key, student, lost in losses:
        points[key] += lost  # type: ignore[assignment]
        students[key].add(student)
    found = [Loss(*key, len(students[key]), float(lost)) for key, lost in points.items()]
    return sorted(found, key=lambda each: (-each.points, each.exercise, each.what))


def _incidents(hands: list[Hand]) -> dict[str, list[str]]:
    """Students by what the grader met, the most frequent first."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for hand in hands:
        for each in hand.incidents:
            if each["code"] not in incidents.QUIET:
                found[incidents.NOTES.get(each["code"], each["code"])][hand.student] = None
    order = sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return {title: list(students) for title, students in order}


def made_at() -> datetime:
    """Now, in the machine's own time."""
    return datetime.now().astimezone()

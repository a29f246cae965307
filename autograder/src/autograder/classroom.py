"""What `course grade` and `course release` do with a class: everything through nbgrader."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps.api import NbGraderAPI
from sqlalchemy.exc import OperationalError
from traitlets.config import PyFileConfigLoader

from autograder import check, extensions, incidents
from autograder.build import problems, read_source
from autograder.cells import TEST, to_text
from autograder.config import Assignment, CourseError
from autograder.course import Course
from autograder.doctor import require_sandbox
from autograder.grade import GRADED, GRADER_FAILED, Prepared, Releases, add_artefacts
from autograder.late import late_policy
from autograder.lock import writing
from autograder.nbgrader_parts import execute
from autograder.nbgrader_parts.book import grades_of
from autograder.nbgrader_parts.late import LatePenalty
from autograder.pool import grade_many
from autograder.results import Incident, Result

MANY = 4
TRIES = 2


@dataclass(frozen=True)
class Row:
    """One student's line in the table of a graded class.

    Attributes:
        score, max_score: of the exercises that the machine grades.
        written: the hand-graded answers, as text.
        happened: what a TA should know.
        failed: nbgrader could not process this submission.
    """

    student: str
    score: float = 0.0
    max_score: float = 0.0
    written: str = ""
    flags: tuple[str, ...] = ()
    happened: tuple[str, ...] = ()
    failed: bool = False


def nbgrader_api(course: Course) -> NbGraderAPI:
    """nbgrader, configured by the course folder as on its own command line."""
    config = PyFileConfigLoader(course.config_file.name, path=str(course.root)).load_config()
    return NbGraderAPI(config=config)


@contextmanager
def gradebook(api: NbGraderAPI) -> Iterator[Gradebook]:
    """The gradebook, wherever it is.

    Raises:
        CourseError: the database cannot be reached, or was lost on the way.
    """
    try:
        with Gradebook(api.coursedir.db_url, api.coursedir.course_id) as book:
            yield book
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise CourseError(
            f"The gradebook's database cannot be used ({reason}). What was recorded is kept: "
            "when the database is back, start this again."
        ) from error


def require_gradebook(course: Course) -> None:
    """Reach the gradebook once.

    Raises:
        CourseError: it cannot be reached.
    """
    with gradebook(nbgrader_api(course)):
        pass


def grade_class(
    course: Course,
    assignment: Assignment,
    students: list[str],
    force: bool = False,
    progress: Callable[[str], None] | None = None,
    workers: int = 1,
    scheduler: str = "",
) -> list[Row]:
    """Grade what the students handed in, and write their feedback.

    What was graded already is left alone, unless it was handed in again or `force` is set. A run
    that was interrupted can be started again: what it had not finished is graded anew, and so is
    what the grader could not get through, until a person has graded it.

    Args:
        workers: processes that score; this one writes the gradebook.
        scheduler: the address of a Dask scheduler, whose workers score instead.
    """
    key = course.key()
    require_sandbox(assignment)
    late_policy()
    with writing(course):
        return _grade_class(course, assignment, key, students, force, progress, workers, scheduler)


def _grade_class(
    course: Course,
    assignment: Assignment,
    key: bytes,
    students: list[str],
    force: bool,
    progress: Callable[[str], None] | None,
    workers: int,
    scheduler: str,
) -> list[Row]:
    api = nbgrader_api(course)
    ensure_assignment(api, course, assignment)
    recorded = set() if force else _recorded(api, assignment)
    new = [
        each
        for each in students
        if each not in recorded or not _is_graded(api, course, assignment, each)
    ]
    rows: dict[str, Row] = {}

    def finish(student: str, row: Row) -> None:
        rows[student] = row
        if progress:
            progress(student)

    for student in students:
        if student not in new:
            finish(student, _give_feedback(api, course, assignment, student))
    releases = Releases(assignment, course.versions(assignment.name))
    in_flight: dict[str, Prepared] = {}

    def prepared() -> Iterator[tuple[str, NotebookNode]]:
        for student in new:
            in_flight[student] = Prepared.read(course.submitted(assignment.name, student), releases)
            yield student, in_flight[student].notebook

    if scheduler and new:
        from autograder.cluster import grade_on_cluster

        found = grade_on_cluster(prepared(), assignment, key, scheduler)
    else:
        found = grade_many(prepared(), assignment, key, min(workers, len(new)))
    for student, result in found:
        add_artefacts(result, assignment, course.submitted(assignment.name, student))
        submission = in_flight.pop(student)
        finish(student, record(api, course, assignment, student, submission, result))
    return [rows[student] for student in students]


def _recorded(api: NbGraderAPI, assignment: Assignment) -> set[str]:
    """Who has a grade in the gradebook, which may be another one than last time."""
    with gradebook(api) as book:
        return {each.student_id for each in book.assignment_submissions(assignment.name)}


def _is_graded(api: NbGraderAPI, course: Course, assignment: Assignment, student: str) -> bool:
    """Whether the newest that was handed in has reached the gradebook."""
    try:
        status = result_of(course, assignment, student)["status"]
    except (OSError, ValueError, KeyError):
        return False  # never graded, or interrupted on the way
    if status == GRADER_FAILED and "review" in read_row(api, course, assignment, student).flags:
        return False
    return not handed_in_again(api, course, assignment, student)


def handed_in_again(api: NbGraderAPI, course: Course, assignment: Assignment, student: str) -> bool:
    """Whether what lies in submitted/ is newer than what was graded.

    By the times of submission, where both are known. A file that a person has put there has none,
    or not yet: then the file's own time says whether it came after the grading.
    """
    stamp = api.coursedir.get_existing_timestamp
    folder = course.submitted(assignment.name, student)
    graded_folder = course.autograded(assignment.name, student)
    handed_in, graded = stamp(str(folder)), stamp(str(graded_folder))
    if handed_in and graded:
        return bool(handed_in > graded)
    page = graded_folder / f"{assignment.notebook}.ipynb"
    return page.is_file() and any(
        path.lstat().st_mtime > page.stat().st_mtime for path in folder.glob("*")
    )


def result_of(course: Course, assignment: Assignment, student: str) -> dict[str, Any]:
    """What the latest grading found, as `Result.as_dict` gives it.

    Raises:
        OSError, ValueError, KeyError: the submission was not graded, or not to the end.
    """
    path = course.autograded(assignment.name, student) / f"{assignment.notebook}.ipynb"
    return json.loads(path.read_text("utf-8"))["metadata"]["sft2rl"]["result"]


def record(
    api: NbGraderAPI,
    course: Course,
    assignment: Assignment,
    student: str,
    submission: Prepared,
    result: Result,
    note: dict[str, Any] | None = None,
) -> Row:
    """Take a result that was found into the gradebook, and write the feedback.

    Args:
        submission: what it was found for. If something was handed in since, that is graded here.
        note: what the audit record says besides.
    """

    def autograde() -> dict[str, Any]:
        if not submission.is_current():
            return api.autograde(assignment.name, student, force=True)
        with execute.handed_over(student, submission.notebook, result, note or {}):
            return api.autograde(assignment.name, student, force=True)

    outcome = _tried_twice(api, autograde)
    if not outcome["success"]:
        return _nbgrader_failed(course, assignment, student, outcome)
    return _give_feedback(api, course, assignment, student, force=True)


def _tried_twice(api: NbGraderAPI, step: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A step of nbgrader's, once more if it failed: its connection to the database may be lost.

    Raises:
        CourseError: it is the database.
    """
    for _ in range(TRIES):
        outcome = step()
        if outcome["success"]:
            break
        with gradebook(api):
            pass
    return outcome


def _give_feedback(
    api: NbGraderAPI, course: Course, assignment: Assignment, student: str, force: bool = False
) -> Row:
    """Write the feedback of a graded student, unless it is there."""
    page = course.feedback(assignment.name, student) / f"{assignment.notebook}.html"
    if force or not _is_whole(page):
        outcome = _tried_twice(
            api, lambda: api.generate_feedback(assignment.name, student, force=True)
        )
        if not outcome["success"]:
            return _nbgrader_failed(course, assignment, student, outcome)
    return read_row(api, course, assignment, student)


def _is_whole(page: Path) -> bool:
    """Whether a page was written to its end."""
    try:
        return page.read_text("utf-8").rstrip().endswith("</html>")
    except (OSError, ValueError):
        return False


def _nbgrader_failed(
    course: Course, assignment: Assignment, student: str, outcome: dict[str, Any]
) -> Row:
    log = course.root / f"{assignment.name}.log"
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{student}\n{outcome.get('log', '')}\n{outcome['error']}\n")
    return Row(student, happened=(f"nbgrader failed: see {log}",), failed=True)


def read_row(api: NbGraderAPI, course: Course, assignment: Assignment, student: str) -> Row:
    """A graded student's line, from the gradebook and the autograded notebook."""
    with gradebook(api) as book:
        submission = book.find_submission(assignment.name, student)
        flags = _times(course, submission)
        grades = [
            grade
            for notebook in submission.notebooks
            for grade in grades_of(book, notebook).values()
        ]
        machine = [grade for grade in grades if grade.cell_type == "code"]
        written = [grade for grade in grades if grade.cell_type != "code"]
        if any(grade.needs_manual_grade for grade in machine):
            flags.append("review")
        by_hand = {each.name: each.score for each in machine if each.manual_score is not None}
        row = Row(
            student,
            sum(grade.score or 0.0 for grade in machine),
            sum(grade.max_score for grade in machine),
            _written(written),
            tuple(flags),
        )
    result = result_of(course, assignment, student)
    for name, score in by_hand.items():
        if exercise := result["exercises"].get(name.removeprefix(TEST)):
            exercise["score"] = score
    return replace(row, happened=tuple(happened(result)))


def settle_penalty(api: NbGraderAPI, assignment: Assignment, student: str) -> None:
    """Compute a student's late penalty anew, as it is done before feedback."""
    with gradebook(api) as book:
        notebook = book.find_submission_notebook(assignment.notebook, assignment.name, student)
        LatePenalty(parent=api).settle(notebook)
        book.db.commit()


def _times(course: Course, submission: Any) -> list[str]:
    """What a TA should know of deadline, extension and penalty."""
    flags = ["late"] if late_policy().is_late(submission.total_seconds_late) else []
    if penalty := submission.late_submission_penalty:
        flags.append(f"penalty {penalty:.4g}")
    if until := extensions.read(course).get(submission.name, {}).get(submission.student.id):
        flags.append(f"extended to {until:%d %b %H:%M}")
    return flags


def _written(grades: list[Any]) -> str:
    """The hand-graded answers: their points, or what is left to do."""
    if not grades:
        return ""
    if any(grade.needs_manual_grade for grade in grades):
        return "to grade"
    return f"{sum(grade.score or 0.0 for grade in grades):g} / {sum(g.max_score for g in grades):g}"


def happened(result: dict[str, Any]) -> list[str]:
    """What a TA reads beside the score: the status, incidents, and exercises that lost points."""
    if result["status"] != GRADED:
        return [result["status"]]
    found = incidents.headlines([Incident(**each) for each in result["incidents"]])
    exercises = result["exercises"]
    lost = {name: each for name, each in exercises.items() if each["score"] != each["max_score"]}
    if all(each["score"] == 0 for each in exercises.values()):
        return [*found, "nothing is right yet"]
    if len(lost) > MANY:
        return [*found, f"{len(lost)} of {len(exercises)} exercises lose points"]
    return [*found, *(f"{name} {_points(each)}" for name, each in lost.items())]


def _points(exercise: dict[str, Any]) -> str:
    if exercise["score"] is None:
        return "to review"
    return f"{exercise['score']:.3g} of {exercise['max_score']:g}"


def ensure_assignment(api: NbGraderAPI, course: Course, assignment: Assignment) -> None:
    """Enter the assignment into the gradebook if it is not there, and the deadline if it moved."""
    with gradebook(api) as book:
        try:
            known = bool(book.find_assignment(assignment.name).notebooks)
        except MissingEntry:
            known = False
        if known:
            _set_deadline(book, course, assignment)
    if not known:
        generate(api, course, assignment)


def _set_deadline(book: Gradebook, course: Course, assignment: Assignment) -> None:
    """The deadline of course.toml; the gradebook counts extensions from it."""
    before = book.find_assignment(assignment.name).duedate
    book.update_or_create_assignment(assignment.name, duedate=assignment.due.isoformat())
    if book.find_assignment(assignment.name).duedate != before:
        for student in extensions.read(course).get(assignment.name, {}):
            extensions.enter(book, course, assignment.name, student)


def generate(api: NbGraderAPI, course: Course, assignment: Assignment) -> None:
    """nbgrader's generate_assignment: source/ -> gradebook, release/ and versions/."""
    if stale := problems(assignment):
        raise CourseError("The release is not in order:\n" + "\n".join(stale))
    source = course.root / "source" / assignment.name / f"{assignment.notebook}.ipynb"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(to_text(read_source(assignment)), "utf-8")
    outcome = api.generate_assignment(assignment.name, force=True)
    if not outcome["success"]:
        raise CourseError(f"nbgrader generate_assignment failed:\n{outcome.get('log', '')}")
    with gradebook(api) as book:
        _set_deadline(book, course, assignment)


def refusals(assignment: Assignment, now: datetime | None = None) -> list[str]:
    """Why an assignment is not to be released now; empty when it may be.

    Its date must have come, and its suite must be proved on its zoo, which takes minutes.
    """
    if (now or datetime.now(UTC)) < assignment.release:
        when = f"{assignment.release:%d %B %Y, %H:%M %z}"
        return [f"{assignment.name} is to be released from {when} (course.toml)."]
    return check.problems(check.check(assignment))


def release(course: Course, assignment: Assignment) -> str:
    """Release to students through nbgrader; says where the notebook is."""
    api = nbgrader_api(course)
    generate(api, course, assignment)
    made = course.root / "release" / assignment.name / f"{assignment.notebook}.ipynb"
    return f"{made}{into_exchange(api, assignment.name)}"


def into_exchange(api: NbGraderAPI, name: str) -> str:
    """Put a folder of release/ into the exchange, if there is one; says so behind its path."""
    step = api.exchange.ReleaseAssignment(
        coursedir=api.coursedir, authenticator=api.authenticator, parent=api
    )
    exchange = Path(step.root)
    if not exchange.is_dir():
        return f" (no exchange at {exchange}: give this file to the students)"
    outcome = api.release_assignment(name)
    if not outcome["success"]:
        raise CourseError(f"nbgrader release_assignment failed:\n{outcome.get('log', '')}")
    return f", and in the exchange {exchange}"


def released_names(course: Course) -> set[str]:
    """The assignments that were released from this course folder."""
    return {path.parent.name for path in course.root.glob("versions/*/*.ipynb")}

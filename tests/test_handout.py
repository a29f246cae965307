"""Model answers and errata: when they are given out, what is in them, and how they arrive."""

from collections.abc import Iterator
from datetime import timedelta

import nbformat
import pytest
from nbgrader.auth import Authenticator
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange.abc import ExchangeError
from nbgrader.exchange.default import ExchangeFetchAssignment, ExchangeList
from tiny_class import NAME, Class
from traitlets.config import Config
from typer.testing import CliRunner, Result

from autograder import build, classroom, extensions, handout
from autograder.cli import app
from autograder.config import assignments

FIXED = "`double` takes **floats**, too."


@pytest.fixture
def released(own_class: Class) -> Iterator[Class]:
    """The graded class, with its assignment in an exchange."""
    exchange = own_class.root / "exchange"
    exchange.mkdir()
    exchange.chmod(0o777)
    with own_class.course.config_file.open("a") as file:
        file.write(f"c.Exchange.root = {str(exchange)!r}\n")
    build.write(own_class.assignment)
    classroom.release(own_class.course, own_class.assignment)
    yield own_class


class Student:
    """What a student's server does with the exchange."""

    def __init__(self, group: Class) -> None:
        self.home = group.root / "home"
        self.home.mkdir()
        self.config = Config()
        self.config.Exchange.root = str(group.root / "exchange")
        self.config.Exchange.assignment_dir = str(self.home)
        self.config.CourseDirectory.course_id = "tiny"

    def fetch(self, name: str, replace: bool = False) -> dict[str, str]:
        """`nbgrader fetch_assignment NAME [--replace]`; the folder as it is then."""
        self.config.CourseDirectory.assignment_id = name
        self.config.ExchangeFetchAssignment.replace_missing_files = replace
        self._step(ExchangeFetchAssignment).start()
        return {path.name: path.read_text("utf-8") for path in (self.home / name).iterdir()}

    def listed(self) -> dict[str, str]:
        self.config.CourseDirectory.assignment_id = ""
        return {each["assignment_id"]: each["status"] for each in self._step(ExchangeList).start()}

    def _step(self, kind: type) -> ExchangeFetchAssignment:
        config = self.config
        coursedir = CourseDirectory(config=config)
        return kind(coursedir=coursedir, authenticator=Authenticator(config=config), config=config)


def course(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


def test_an_erratum_reaches_who_has_begun_and_changes_nothing_of_theirs(released: Class) -> None:
    ada, ben = Student(released), released.root / "home" / NAME
    begun = ada.fetch(NAME)
    (ben / "tiny.ipynb").write_text("what she has written so far")
    done = course("erratum", NAME, "--text", FIXED)
    assert done.exit_code == 0, done.output
    assert ada.listed() == {NAME: "fetched", f"{NAME}_erratum_1": "released"}
    fetched = ada.fetch(f"{NAME}_erratum_1")
    assert list(fetched) == ["erratum.ipynb"] and FIXED in fetched["erratum.ipynb"]
    with pytest.raises(ExchangeError):
        ada.fetch(NAME)
    again = ada.fetch(NAME, replace=True)
    assert again == {"tiny.ipynb": "what she has written so far", "ERRATUM_1.md": f"{FIXED}\n"}
    assert begun.keys() == {"tiny.ipynb"}


def test_errata_are_numbered_and_survive_the_next_release(released: Class) -> None:
    for text_ in ("first", "second"):
        assert course("erratum", NAME, "--text", text_).exit_code == 0
    classroom.release(released.course, released.assignment)
    ben = Student(released)
    fetched = ben.fetch(NAME)
    assert (fetched.pop("ERRATUM_1.md"), fetched.pop("ERRATUM_2.md")) == ("first\n", "second\n")
    assert fetched.keys() == {"tiny.ipynb"}
    assert set(ben.listed()) == {NAME, f"{NAME}_erratum_1", f"{NAME}_erratum_2"}


def test_an_erratum_needs_a_release_and_a_text(released: Class) -> None:
    empty = course("erratum", NAME, "--text", " ")
    assert empty.exit_code == 2 and "needs a text" in empty.output
    source = released.assignment.solution
    source.write_text(source.read_text().replace("CONSTANT = 10", "CONSTANT = 11"))
    stale = course("erratum", NAME, "--text", FIXED)
    assert stale.exit_code == 2 and "run `course build 00_tiny`" in stale.output
    assert not list(released.course.root.glob("source/*/ERRATUM*"))
    for path in (released.course.root / "versions" / NAME).iterdir():
        path.unlink()
    unreleased = course("erratum", NAME, "--text", FIXED)
    assert unreleased.exit_code == 2 and "was not released" in unreleased.output


def test_solutions_wait_for_the_last_deadline(released: Class) -> None:
    due = released.assignment.due
    api = classroom.nbgrader_api(released.course)
    early, late = due - timedelta(minutes=1), due + timedelta(days=2)
    reason = handout.too_early(released.course, released.assignment, early)
    assert reason == "00_tiny: its deadline ends on 21 September 2026, 23:59 +0200."
    assert handout.too_early(released.course, released.assignment, due) == ""
    with classroom.gradebook(api) as book:
        extensions.set_extension(
            released.course, book, released.assignment, "ada", due + timedelta(days=3)
        )
    reason = handout.too_early(released.course, released.assignment, late)
    assert reason == "00_tiny: the latest extension ends on 24 September 2026, 23:59 +0200."
    late += timedelta(days=1)
    assert handout.too_early(released.course, released.assignment, late) == ""
    not_yet_handed_in = f'["{NAME}"]\n"zoe" = 2026-09-26T12:00:00+02:00\n'
    released.course.extensions_file.write_text(not_yet_handed_in)
    reason = handout.too_early(released.course, released.assignment, late)
    assert reason == "00_tiny: the latest extension ends on 26 September 2026, 12:00 +0200."


def test_solutions_are_refused_with_a_reason_or_forced_with_a_warning(released: Class) -> None:
    listed = released.root / "course.toml"
    listed.write_text(listed.read_text().replace("due = 2026", "due = 2999"))
    assignments.cache_clear()
    refused = course("solutions", NAME)
    assert refused.exit_code == 1 and "its deadline ends on 21 September 2999" in refused.output
    assert Student(released).listed() == {NAME: "released"}
    forced = course("solutions", NAME, "--force")
    assert forced.exit_code == 0 and "can copy" in forced.output
    assert (released.root / f"exchange/tiny/outbound/{NAME}_solution").is_dir()


def test_what_students_get_has_the_answers_and_no_hidden_test(released: Class) -> None:
    assert course("solutions", NAME).exit_code == 0
    fetched = Student(released).fetch(f"{NAME}_solution")
    notebook = nbformat.reads(fetched["tiny_solution.ipynb"], as_version=4)
    nbformat.validate(notebook)
    sources = "\n".join(cell.source for cell in notebook.cells)
    assert "twice_the_argument = x + x" in sources and "**Model answer.**" in sources
    assert "SOLUTION" not in sources
    suite = released.assignment.suite.read_text()
    hidden = [line.strip() for line in suite.splitlines() if "draw." in line or "expect(" in line]
    assert hidden and not [line for line in hidden if line in sources]
    assert not any("nbgrader" in cell.metadata for cell in notebook.cells)

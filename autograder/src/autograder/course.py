"""The course folder: a class's submissions, gradebook, released versions and secret key."""

from __future__ import annotations

import os
import pwd
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from autograder.config import CourseError, course_toml

KEY_BYTES = 32
# Known to everyone who reads this file: for CI, `course check` and the demo, never for grades.
DEVELOPMENT_KEY = b"sft2rl development key, no grade"
CONFIG = """\
# Written by `course`; add settings of your own below. Without the first lines, nbgrader would run
# students' code unprotected and score it in their own process.
from autograder.nbgrader_parts.install import install

c = get_config()
install(c, __file__)
"""


@dataclass(frozen=True)
class Course:
    """Where the parts of a course folder lie."""

    root: Path

    @property
    def key_file(self) -> Path:
        return self.root / "key"

    @property
    def development_mark(self) -> Path:
        """Where this file exists, the folder may use the development key."""
        return self.root / "DEVELOPMENT"

    @property
    def audit_file(self) -> Path:
        """One line of JSON per grade."""
        return self.root / "audit.jsonl"

    @property
    def extensions_file(self) -> Path:
        """Later deadlines of some students: a table per assignment, a date per student."""
        return self.root / "extensions.toml"

    @property
    def config_file(self) -> Path:
        return self.root / "nbgrader_config.py"

    def submitted(self, assignment: str, student: str) -> Path:
        return self.root / "submitted" / student / assignment

    def autograded(self, assignment: str, student: str) -> Path:
        return self.root / "autograded" / student / assignment

    def feedback(self, assignment: str, student: str) -> Path:
        return self.root / "feedback" / student / assignment

    def versions(self, assignment: str) -> Path:
        return self.root / "versions" / assignment

    def students(self, assignment: str) -> list[str]:
        """Who handed in something."""
        found = self.root.glob(f"submitted/*/{assignment}")
        return sorted(path.parent.name for path in found)

    def misplaced(self, assignments: Collection[str]) -> list[Path]:
        """What lies in submitted/ and nowhere in STUDENT/ASSIGNMENT, where it would be graded."""
        found = []
        for student in self.root.glob("submitted/[!.]*"):
            if student.name in assignments or not student.is_dir():
                found.append(student)
                continue
            inside = student.glob("[!.]*")
            found += [each for each in inside if each.name not in assignments or each.is_file()]
        return sorted(found)

    def key(self) -> bytes:
        """The secret from which the hidden inputs follow.

        Raises:
            CourseError: there is none, others can read it, or it is not a secret.
        """
        try:
            mode = self.key_file.stat().st_mode
            key = self.key_file.read_bytes()
        except OSError as error:
            raise CourseError(
                f"{self.key_file} cannot be read: {error.strerror}. Restore it from a backup, or "
                "check its owner."
            ) from error
        if mode & 0o077:
            raise CourseError(f"{self.key_file} can be read by others: run chmod 600 on it.")
        if len(key) != KEY_BYTES:
            raise CourseError(f"{self.key_file} is damaged: restore it from a backup.")
        if key == DEVELOPMENT_KEY and not self.development_mark.exists():
            raise CourseError(
                f"{self.key_file} holds the development key, which everyone knows. "
                "Delete the file; the next `course grade` makes a secret one."
            )
        return key


def require_account(root: Path) -> None:
    """Refuse to be root in a folder of the grader's, who could not change what root makes there.

    Raises:
        CourseError: the sentence has the command that runs under the folder's account.
    """
    if os.geteuid() != 0 or not root.exists():
        return
    try:
        owner = pwd.getpwuid(root.stat().st_uid).pw_name
    except KeyError:  # a folder from outside a container
        return
    if owner != "root":
        raise CourseError(
            f"{root} belongs to {owner}, and you are root: what you make there, {owner} could not "
            f"change. Put `runuser -u {owner} -- env COURSE_DIR={root}` before the command."
        )


def open_course(root: Path, development: bool = False) -> Course:
    """The course folder, with its parts made if they are missing."""
    course = Course(root)
    require_account(root)
    try:
        for name in ("source", "release", "submitted"):
            (root / name).mkdir(parents=True, exist_ok=True)
        if development:
            course.development_mark.touch()
        if not course.config_file.exists():
            course.config_file.write_text(CONFIG, "utf-8")
        if not course.key_file.exists():
            key = DEVELOPMENT_KEY if development else secrets.token_bytes(KEY_BYTES)
            _write_secret(course.key_file, key)
    except OSError as error:
        raise CourseError(f"The course folder {root} cannot be used: {error.strerror}.") from error
    return course


def existing_course(root: Path) -> Course:
    """The course folder, for verbs that only make sense where there is one."""
    course = Course(root)
    if not course.config_file.is_file():
        raise CourseError(f"{root} is no course folder: name it with --course, or COURSE_DIR.")
    require_account(root)
    return course


def course_code() -> str:
    """The short name of the course, under which nbgrader's exchange knows it."""
    return str(course_toml()["course"]["code"])


def key_for_scoring(root: Path) -> bytes:
    """The course's key where there is one, else the development key."""
    course = Course(root)
    return course.key() if course.key_file.exists() else DEVELOPMENT_KEY


def _write_secret(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)

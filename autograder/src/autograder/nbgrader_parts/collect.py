"""nbgrader's collect, made safe for what students can put into the exchange.

A student's folder in the exchange is theirs: they choose its name, the times written in it, and
what lies in it, and they can go on changing it. nbgrader would follow links out of it with the
rights of the course's account, believe the time in its name, and give up on the whole class at
the first malformed name. Here the owner must be who is named, only regular files of that owner
are copied, and a time that the file system contradicts is replaced by the file system's.
"""

from __future__ import annotations

import errno
import fnmatch
import hashlib
import os
import pwd
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from nbgrader.exchange.default import ExchangeCollect
from nbgrader.utils import parse_utc

MAX_FILES = 200
# Submitting takes seconds. What changed later was changed after it was submitted.
TOLERANCE = timedelta(minutes=5)
REFUSED = ""
FULL = (errno.ENOSPC, errno.EDQUOT)


class Refused(Exception):
    """Why something in the exchange is not collected."""


class SafeCollect(ExchangeCollect):
    """Collects only what its owner could have submitted, at the time they could have."""

    def init_src(self) -> None:
        super().init_src()
        self.src_records: list[dict[str, Any]] = [
            each for each in self.src_records if each["username"] != REFUSED
        ]

    def copy_files(self) -> None:
        super().copy_files()
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as book:
            for record in self.src_records:
                student = book.update_or_create_student(record["username"])
                if not student.last_name and (name := _full_name(student.id)):
                    first, _, last = name.rpartition(" ")
                    book.update_or_create_student(student.id, first_name=first, last_name=last)

    def _path_to_record(self, path: str) -> dict[str, Any]:
        name = os.path.basename(path)
        try:
            student, timestamp = self._examine(path)
        except (Refused, OSError) as error:
            self.log.error("Not collected: %r: %s", name, error)
            student, timestamp = REFUSED, datetime.min
        return {"username": student, "filename": name, "timestamp": timestamp}

    def _examine(self, path: str) -> tuple[str, datetime]:
        student, claimed, counts = examine(path, self.coursedir.assignment_id)
        if counts != claimed:
            self.log.warning("%s: submitted at %s by its name; %s counts", student, claimed, counts)
        return student, counts

    def do_copy(self, src: str, dest: str, log: Any = None) -> None:
        """Copy the regular files of the folder's owner, and write the time that counts."""
        Path(dest).mkdir(mode=0o700)
        room = int(self.coursedir.max_dir_size) * 1000
        for number, (folder, name, relative) in enumerate(self._files(src)):
            if number >= MAX_FILES:
                self.log.warning("%s: more than %d files: the rest is left", src, MAX_FILES)
                break
            try:
                content = _content(folder, name, os.lstat(src).st_uid, room)
                target = Path(dest, relative, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                room -= len(content)
            except (Refused, OSError, ValueError) as error:
                if getattr(error, "errno", 0) in FULL:
                    # Without a time of its own, what is here is collected again.
                    self.fail(f"{dest} cannot be written: {error}. Make room, and collect again.")
                self.log.warning("%s: %r is left out: %s", src, name, error)
        _, timestamp = self._examine(src)
        Path(dest, "timestamp.txt").write_text(f"{timestamp:%Y-%m-%d %H:%M:%S.%f} UTC")

    def _files(self, src: str) -> Iterator[tuple[int, str, str]]:
        """The folder's files: open folder, name, path of that folder within `src`."""
        for place, folders, names, folder in os.fwalk(src, follow_symlinks=False):
            folders[:] = sorted(filter(self._wanted, folders))
            for name in sorted(filter(self._wanted, names)):
                if name != "timestamp.txt":
                    yield folder, name, os.path.relpath(place, src)

    def _wanted(self, name: str) -> bool:
        return not any(fnmatch.fnmatch(name, pattern) for pattern in self.coursedir.ignore)


def examine(path: str, assignment: str) -> tuple[str, datetime, datetime]:
    """Whose submission a folder in the exchange is, when it says it was made, and when that counts.

    Raises:
        Refused, OSError: it is nobody's.
    """
    try:
        student, named, claim = os.path.basename(path).rsplit("+", 3)[:3]
        claimed = parse_utc(claim)
    except (ValueError, OverflowError) as error:
        raise Refused("its name is not that of a submission") from error
    if named != assignment:
        raise Refused("its name is not that of a submission")
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode):
        raise Refused("it is not a folder")
    if status.st_uid != uid_of(student):
        raise Refused(f"it names {student!r} and belongs to {_name(status.st_uid)}")
    if not _is_whole(path):
        raise Refused("submitting it was broken off (is the exchange full?), or goes on")
    changed = _last_change(path)
    return student, claimed, claimed if abs(changed - claimed) <= TOLERANCE else changed


def uid_of(student: str) -> int:
    """The Unix id of a student: their account's, or on Kubernetes the one made from their name.

    `hub/kubernetes/hub_config.py` runs their servers under the same.
    """
    try:
        return pwd.getpwnam(student).pw_uid
    except KeyError:
        digest = hashlib.sha256(student.encode()).digest()
        return 1_000_000 + int.from_bytes(digest[:8], "big") % 10**9


def _content(folder: int, name: str, owner: int, limit: int) -> bytes:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open(os.open(name, flags, dir_fd=folder), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Refused("it is not a regular file")
        if status.st_uid != owner or status.st_nlink != 1:
            raise Refused("it is somebody's file elsewhere, too")
        if status.st_size > limit:
            raise Refused("it is too large")
        return file.read(limit)


def _is_whole(path: str) -> bool:
    """Whether the time is there, which nbgrader writes when everything else has been copied."""
    try:
        return os.lstat(os.path.join(path, "timestamp.txt")).st_size > 0
    except OSError:
        return False


def _last_change(path: str) -> datetime:
    """The latest change time in the folder: unlike other times, its owner cannot put it back."""
    latest = os.lstat(path).st_ctime
    for number, (_, _, names, folder) in enumerate(os.fwalk(path, follow_symlinks=False)):
        if number >= MAX_FILES:
            break
        for name in [".", *names[:MAX_FILES]]:
            latest = max(latest, os.stat(name, dir_fd=folder, follow_symlinks=False).st_ctime)
    return datetime.fromtimestamp(latest, UTC).replace(tzinfo=None)


def _full_name(student: str) -> str:
    """The name in the student's Unix account, or ""."""
    try:
        return pwd.getpwnam(student).pw_gecos.split(",")[0].strip()
    except KeyError:
        return ""


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"

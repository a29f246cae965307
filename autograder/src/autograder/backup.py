"""A course folder in one file, and back: with hashes of everything, checked before it is used.

The hashes find damage, not forgery: a backup is as secret and as trusted as the folder itself.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import stat
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from sqlalchemy import make_url

from autograder.config import CourseError
from autograder.course import Course

MANIFEST = "MANIFEST.json"
FORMAT = 1
# What SQLite keeps beside a database while it is written.
SQLITE_SUFFIXES = ("-journal", "-wal", "-shm")


@dataclass
class Kept:
    """What a backup holds.

    Attributes:
        files: hash by path in the course folder.
        left_out: links and other things that are no files, and what could not be read.
        database: what to do about a gradebook that is not a file in the folder; "" if it is.
    """

    files: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    database: str = ""


def gradebook_file(course: Course) -> Path | None:
    """Where the gradebook is, if it is a file of SQLite."""
    from autograder.classroom import nbgrader_api

    url = make_url(nbgrader_api(course).coursedir.db_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    return Path(url.database).resolve()


def backup(course: Course, file: Path) -> Kept:
    """Write the course folder into a new file that only its owner can read.

    The gradebook is copied as of one moment, also while it is written. Grading that runs meanwhile
    may be in the backup in part: `course grade` completes it after the restore.

    Raises:
        CourseError: the file exists, or lies in the course folder, or cannot be written.
    """
    root, file = course.root.resolve(), file.resolve()
    if file.is_relative_to(root):
        raise CourseError(f"{file} is in the course folder itself: write the backup elsewhere.")
    if os.path.lexists(file):
        raise CourseError(f"{file} exists, and nothing is overwritten: choose another name.")
    database = gradebook_file(course)
    kept = Kept()
    if database is None:
        kept.database = "The gradebook is a server's: keep it with `pg_dump` (docs/operators.md)."
    elif not database.is_relative_to(root):
        kept.database = f"The gradebook is elsewhere: copy {database}, too."
        database = None
    part = file.with_name(f"{file.name}.part")
    try:
        with _private(part) as raw, tarfile.open(fileobj=raw, mode="w:gz") as archive:
            for path in _files(root, kept.left_out):
                _add(archive, root, path, database, kept)
            made = datetime.now(UTC).isoformat(timespec="seconds")
            manifest = {"format": FORMAT, "made": made, "files": kept.files}
            _write(archive, MANIFEST, json.dumps(manifest, indent=1).encode(), 0o600, time.time())
        os.rename(part, file)
    except OSError as error:
        raise CourseError(f"{file} cannot be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return kept


@contextmanager
def _private(path: Path) -> Iterator[BinaryIO]:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        yield stream


def _files(root: Path, left_out: list[str]) -> Iterator[Path]:
    """The folder's regular files; links are not followed."""
    for place, folders, names in os.walk(root, followlinks=False):
        folders.sort()
        for name in sorted([*names, *(each for each in folders if Path(place, each).is_symlink())]):
            path = Path(place, name)
            if stat.S_ISREG(path.lstat().st_mode):
                yield path
            else:
                left_out.append(str(path.relative_to(root)))


def _add(
    archive: tarfile.TarFile, root: Path, path: Path, database: Path | None, kept: Kept
) -> None:
    if database and path.name in [database.name + suffix for suffix in SQLITE_SUFFIXES]:
        return
    name = path.relative_to(root).as_posix()
    try:
        status = path.stat()
        content = _snapshot(path) if path == database else path.read_bytes()
    except OSError:  # removed by grading meanwhile, or somebody else's
        kept.left_out.append(name)
        return
    _write(archive, name, content, stat.S_IMODE(status.st_mode), status.st_mtime)
    kept.files[name] = hashlib.sha256(content).hexdigest()


def _write(archive: tarfile.TarFile, name: str, content: bytes, mode: int, changed: float) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(content), mode, int(changed)
    archive.addfile(entry, io.BytesIO(content))


def _snapshot(database: Path) -> bytes:
    """The database as it was after some transaction, by SQLite's own backup."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy.db")
        with (
            closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        return copy.read_bytes()


def restore(file: Path, into: Path) -> dict[str, str]:
    """Make a course folder of a backup; hashes by path.

    Nothing but a hidden folder appears in `into` before everything has been found to be what was
    kept. An empty `into` stays the same folder: its parent need not be ours to write.

    Raises:
        CourseError: `into` is not empty or cannot be written, or the backup is damaged.
    """
    into = into.resolve()
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise CourseError(
            f"{into} is not empty, and nothing is overwritten: move it away first, or name a new "
            "folder with --into."
        )
    new = not into.exists()
    try:
        into.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=".restoring-", dir=into))
    except OSError as error:
        raise CourseError(
            f"{into} cannot be written: {error.strerror}. Let root make an empty folder there that "
            "belongs to this account (docs/operators.md), or name another one with --into."
        ) from error
    try:
        found = _unpack(file, place)
        wanted = _manifest(place, found)
        if lost := sorted(set(wanted) ^ set(found)):
            raise CourseError(f"{file} is damaged: {lost[0]} is lost or was added.")
        if changed := sorted(name for name in wanted if wanted[name] != found[name]):
            raise CourseError(f"{file} is damaged: {changed[0]} has changed.")
        _check_databases(place)
        for path in place.iterdir():
            os.replace(path, into / path.name)
        new = False
    except (OSError, EOFError, tarfile.TarError, ValueError, KeyError) as error:
        raise CourseError(f"{file} cannot be restored: {error}.") from error
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if new:
            into.rmdir()
    return wanted


def _unpack(file: Path, place: Path) -> dict[str, str]:
    """The archive's files, written under `place`; hash by path."""
    found = {}
    with tarfile.open(file, mode="r:gz") as archive:
        for entry in archive:
            name = PurePosixPath(entry.name)
            if not entry.isreg() or name.is_absolute() or ".." in name.parts:
                raise CourseError(f"{file} is no backup of a course: {entry.name!r} is in it.")
            content = archive.extractfile(entry).read()  # type: ignore[union-attr]
            target = place / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            target.chmod(entry.mode & 0o777)
            os.utime(target, (entry.mtime, entry.mtime))
            found[entry.name] = hashlib.sha256(content).hexdigest()
    return found


def _manifest(place: Path, found: dict[str, str]) -> dict[str, str]:
    if MANIFEST not in found:
        raise CourseError(
            "This is no backup of a course, or its end is lost: no manifest is in it."
        )
    manifest = json.loads((place / MANIFEST).read_text("utf-8"))
    if manifest["format"] != FORMAT:
        raise CourseError(
            f"The backup has format {manifest['format']}, this version reads {FORMAT}."
        )
    (place / MANIFEST).unlink()
    del found[MANIFEST]
    return dict(manifest["files"])


def _check_databases(place: Path) -> None:
    for path in place.glob("*.db"):
        with closing(sqlite3.connect(path)) as database:
            (verdict,) = database.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            raise CourseError(f"The gradebook in the backup is damaged: {verdict}.")

"""Grades a class on other machines: Dask workers score, one process writes the gradebook.

A worker is the ordinary `dask worker`, started in a clone of the course. What crosses is a
notebook's text, its score and the course's key; no code does. Every answer says from which release
of the course it comes, and one of another release is never recorded. Whoever may connect to the
scheduler may run code on every worker: off this machine that takes a certificate.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
from distributed import Client, Future, KilledWorker, get_worker, wait
from nbformat import NotebookNode

import sft2rl
from autograder import audit
from autograder.config import Assignment, CourseError, find_assignment
from autograder.grade import grade
from autograder.pool import grade_many
from autograder.results import Result

CONNECT_SECONDS = 20
# How long the workers may be silent before it is asked whether there are any.
PATIENCE = 30
# One notebook that a worker grades, and one that it has at hand.
PER_THREAD = 2
# A sandbox ends with the thread that started its warm process; this one stays with the worker.
_thread = ThreadPoolExecutor(1)
# Tracebacks of what is mended here, or said in a sentence.
logging.getLogger("distributed.client").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Job:
    """What goes to a worker; its text never reaches a log."""

    assignment: str
    release: dict[str, str]
    notebook: str = field(repr=False)
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """What comes back: a result, or the problem of that worker."""

    worker: str
    release: dict[str, str]
    result: Result | None = None
    problem: str = ""


def grade_on_cluster(
    notebooks: Iterable[tuple[str, NotebookNode]], assignment: Assignment, key: bytes, address: str
) -> Iterator[tuple[str, Result]]:
    """`pool.grade_many` on the workers of the Dask scheduler at `address`.

    A notebook whose worker is lost is tried on another; one that has lost several is left for the
    end, and graded here.

    Raises:
        CourseError: the scheduler or its workers cannot be used; the sentence says why.
    """
    release = release_of(assignment)
    rest = iter(notebooks)
    waiting: dict[Future, tuple[str, NotebookNode]] = {}
    left: list[tuple[str, NotebookNode]] = []
    with _connected(address) as client:
        while True:
            # Never none: if all workers went this moment, one job waits for the next to come.
            room = max(PER_THREAD * _threads(client), 1) - len(waiting)
            for name, notebook in islice(rest, max(room, 0)):
                job = Job(assignment.name, release, nbformat.writes(notebook), key)
                with _answered():
                    waiting[client.submit(answer, job, pure=False)] = name, notebook
            if not waiting:
                break
            for future in _finished(waiting):
                try:
                    result = _result(future, release)
                except TimeoutError:  # its worker died before it was asked; it is graded again
                    continue
                name, notebook = waiting.pop(future)
                if result is None:
                    left.append((name, notebook))
                else:
                    yield name, result
    yield from grade_many(left, assignment, key, min(1, len(left)))


def answer(job: Job) -> Answer:
    """Runs on a worker, for one notebook at a time."""
    return _thread.submit(_answer, job, str(get_worker().name)).result()


def _answer(job: Job, worker: str) -> Answer:
    mine: dict[str, str] = {}
    try:
        assignment = find_assignment(job.assignment)
        mine = release_of(assignment)
        if mine != job.release:
            return Answer(worker, mine)
        notebook = nbformat.reads(job.notebook, as_version=4)
        return Answer(worker, mine, grade(notebook, assignment, job.key))
    except (CourseError, OSError) as error:
        return Answer(worker, mine, problem=str(error))


def release_of(assignment: Assignment) -> dict[str, str]:
    """What decides a score besides the submission and the key, by name."""
    return {
        "released notebook": _digest(assignment.released),
        "suite": _digest(*assignment.suite_files),
        "reference": _digest(assignment.solution),
        "limits": repr(assignment.limits),
        "grader": _code(),
        "libraries": json.dumps(audit.versions()),
    }


def _digest(*files: Path) -> str:
    total = hashlib.sha256()
    for file in files:
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:16]


@cache
def _code() -> str:
    """Names the grader's and the student's distributions by their files."""
    folders = [Path(__file__).parent, Path(str(sft2rl.__file__)).parent]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return _digest(*sorted(path for path in files if path.parent.name != "__pycache__"))


def _connected(address: str) -> Client:
    refuse_open(address)
    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        raise CourseError(
            f"The scheduler {address} cannot be used ({error}). Is it running, and do "
            "Dask's settings here name the certificates? See docs/operators.md."
        ) from error
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        client.close()
        raise CourseError(f"The scheduler {address} has no workers.") from error
    return client


def refuse_open(address: str) -> None:
    """Refuse what others could listen to, or answer in the place of.

    Raises:
        CourseError: neither TLS nor on this machine.
    """
    url = urlsplit(address if "://" in address else f"tcp://{address}")
    if url.scheme == "tls" or (url.scheme == "tcp" and _is_loopback(url.hostname or "")):
        return
    raise CourseError(
        f"{address} is neither encrypted nor on this machine: the course's key and all "
        "scores would cross the network openly. Start scheduler and workers with TLS "
        "certificates, and give the address as tls://HOST:PORT (docs/operators.md)."
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def _answered() -> Iterator[None]:
    """Say so if the scheduler is gone, or what runs on it does not work."""
    try:
        yield
    except (KilledWorker, TimeoutError):
        raise
    except Exception as error:
        raise CourseError(
            f"The scheduler is gone, or its workers do not work ({error}). What was graded is "
            "kept: start them anew, then this again."
        ) from error


def _threads(client: Client) -> int:
    """How many notebooks can be graded at a time."""
    with _answered():
        workers: dict[str, int] = client.nthreads()
    for address in workers:
        refuse_open(address)
    return sum(workers.values())


def _finished(waiting: dict[Future, Any]) -> set[Future]:
    """Those that have ended; waits for the first."""
    try:
        with _answered():
            return wait(list(waiting), timeout=PATIENCE, return_when="FIRST_COMPLETED").done
    except TimeoutError:
        if _threads(next(iter(waiting)).client) == 0:
            raise CourseError("All workers are gone. Start some, then this again.") from None
        return set()


def _result(future: Future, release: dict[str, str]) -> Result | None:
    """What a worker has found; None if workers died of it.

    Raises:
        CourseError: the workers cannot be used; the sentence says why.
        TimeoutError: what it has found went with it, and is not yet found again.
    """
    try:
        with _answered():
            found: Answer = future.result(PATIENCE)
    except KilledWorker:
        return None
    if found.problem:
        raise CourseError(f"The worker {found.worker} cannot grade: {found.problem}")
    if found.result is None or found.release != release:
        parts = [name for name in release if found.release.get(name) != release[name]]
        raise CourseError(
            f"The worker {found.worker} has another release of the course (another "
            f"{', another '.join(parts)}). Update its clone, start it anew, then this again."
        )
    return found.result

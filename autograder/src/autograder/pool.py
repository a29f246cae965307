"""Grades a class with several processes, each with a suite of its own.

Their sandboxes are forked from one warm process, where the one that uses the pool has started it.

The processes only score. Whoever uses the pool writes the gradebook, alone and in any order: a
result does not depend on the process that found it, nor on what was graded before.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from nbformat import NotebookNode

from autograder.config import Assignment, CourseError
from autograder.grade import grade_with, grader_failed
from autograder.results import Result
from autograder.sandbox import stay_on_one_core
from autograder.scoring import Suite, with_suite
from autograder.zygote import SandboxUnavailable

MAX_TRIES = 3
# A fork shares the libraries that this process has imported; a child of it starts its own sandbox.
_context = multiprocessing.get_context("fork")


def grade_many(
    notebooks: Iterable[tuple[str, NotebookNode]], assignment: Assignment, key: bytes, workers: int
) -> Iterator[tuple[str, Result]]:
    """Score prepared notebooks in `workers` processes.

    Args:
        notebooks: pairs of a name and a notebook; taken only as fast as they are graded.

    Yields:
        (name, result) in the order in which they are found. A notebook whose process was killed is
        tried again in a new one, three times in all, and then ends in manual review.

    Raises:
        CourseError: the suite cannot be used, so that nobody can be graded.
    """
    waiting = _Tasks(notebooks)
    busy: dict[_Worker, _Task] = {}
    first = os.getpid()  # another class may be graded meanwhile
    idle = [_Worker(assignment, key, first + number) for number in range(workers)]
    try:
        while True:
            while idle and (task := waiting.next()) is not None:
                worker = idle.pop()
                worker.take(task.notebook)
                busy[worker] = task
            if not busy:
                return
            for worker in _ready(busy):
                task = busy.pop(worker)
                result = worker.result()
                if result is not None:
                    idle.append(worker)
                    yield task.name, result
                    continue
                worker.end()
                idle.append(_Worker(assignment, key, worker.number))
                if task.tries < MAX_TRIES:
                    waiting.again(task)
                else:
                    yield task.name, grader_failed(task.notebook)
    finally:
        for worker in [*idle, *busy]:
            worker.end()


class _Task:
    """A notebook to be graded."""

    def __init__(self, name: str, notebook: NotebookNode, tries: int = 1) -> None:
        self.name, self.notebook, self.tries = name, notebook, tries


class _Tasks:
    """What is to be graded: first what has to be tried again."""

    def __init__(self, notebooks: Iterable[tuple[str, NotebookNode]]) -> None:
        self._rest = iter(notebooks)
        self._again: list[_Task] = []

    def next(self) -> _Task | None:
        if self._again:
            return self._again.pop()
        pair = next(self._rest, None)
        return _Task(*pair) if pair else None

    def again(self, task: _Task) -> None:
        self._again.append(_Task(task.name, task.notebook, task.tries + 1))


class _Worker:
    """A process that grades one notebook at a time."""

    def __init__(self, assignment: Assignment, key: bytes, number: int) -> None:
        self.number = number
        self.connection, inside = _context.Pipe()
        self.process: BaseProcess = _context.Process(
            target=_serve, args=(inside, assignment, key, number), daemon=True
        )
        self.process.start()
        inside.close()

    def take(self, notebook: NotebookNode) -> None:
        with suppress(OSError):  # it has died: `result` will say so
            self.connection.send(notebook)

    def result(self) -> Result | None:
        """What it found; None if it has died.

        Raises:
            CourseError: it cannot grade anything, nor could another one.
        """
        try:
            found: Result | CourseError = self.connection.recv()
        except (EOFError, OSError):
            return None
        if isinstance(found, CourseError):
            raise found
        return found

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def _ready(busy: dict[_Worker, _Task]) -> list[_Worker]:
    """The workers that have an answer or have died; waits for the first."""
    found = wait([worker.connection for worker in busy])
    return [worker for worker in busy if worker.connection in found]


def _serve(connection: Connection, assignment: Assignment, key: bytes, number: int) -> None:
    """Grade what comes until the process that asks is gone."""
    stay_on_one_core(number)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def work(suite: Suite) -> None:
        while parent.sentinel not in wait([connection, parent.sentinel]):
            connection.send(grade_with(suite, connection.recv(), key))

    try:
        with_suite(assignment, work)
    except SandboxUnavailable:
        raise
    except CourseError as error:  # the suite itself: a new process would say the same
        with suppress(OSError):  # nobody may be waiting any more
            connection.send(error)

"""A queue of jobs, one at a time: the gradebook has one writer, and the server stays free."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

from autograder.config import CourseError, find_assignment

ACTIONS = ("grade", "publish", "release")
KEPT = 20
LINE_BYTES = 2**20


@dataclass
class Job:
    """One press of a button.

    Attributes:
        state: "waiting", "running", "done", "refused" (with reasons), or "failed" (a fault).
        done, of: progress in students; 0 of 0 where it cannot be told.
        text: what is being done, or the result.
        reasons: why it was refused or failed, one sentence each.
    """

    id: int
    action: str
    assignment: str
    state: str = "waiting"
    done: int = 0
    of: int = 0
    text: str = ""
    reasons: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def ended(self) -> bool:
        return self.state not in ("waiting", "running")


class Jobs:
    """Runs each job in a process of its own (`autograder.page.work`)."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []
        self._numbers = itertools.count(1)
        self._runner: asyncio.Task[None] | None = None

    def as_list(self) -> list[dict[str, Any]]:
        """The latest jobs, newest first."""
        return [job.as_dict() for job in reversed(self._jobs)]

    def add(self, action: str, assignment: str) -> Job:
        """Queue a job; the same one that still waits or runs is not queued twice.

        Raises:
            CourseError: there is no such action or assignment.
        """
        if action not in ACTIONS:
            raise CourseError(f"There is no action {action!r}.")
        find_assignment(assignment)
        for job in self._jobs:
            if (job.action, job.assignment) == (action, assignment) and not job.ended:
                return job
        job = Job(next(self._numbers), action, assignment)
        self._jobs = [*self._jobs, job][-KEPT:]
        if self._runner is None or self._runner.done():
            self._runner = asyncio.get_running_loop().create_task(self._run())
        return job

    async def _run(self) -> None:
        while job := next((each for each in self._jobs if each.state == "waiting"), None):
            job.state = "running"
            try:
                await self._work(job)
            except (OSError, ValueError) as error:
                job.reasons = [str(error)]
            if not job.ended:
                job.state = "failed"

    async def _work(self, job: Job) -> None:
        """One process; each line that it prints is JSON with attributes of the job."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "autograder.page.work", job.action, job.assignment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            cwd=os.environ["COURSE_DIR"],
            limit=LINE_BYTES,
        )
        assert process.stdout is not None
        async for line in process.stdout:
            for name, value in json.loads(line).items():
                setattr(job, name, value)
        if await process.wait() and not job.ended:
            job.reasons = ["It ended unexpectedly: the server's log has the reason."]

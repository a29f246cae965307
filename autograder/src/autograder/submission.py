"""A notebook in the sandbox: executed once, then asked test by test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode

from autograder import cells
from autograder.channel import Channel, ChannelBroken
from autograder.config import Limits
from autograder.results import Incident
from autograder.sandbox import Sandbox

MAX_RESTARTS = 6


@dataclass
class Submission:
    """The state of one notebook's execution; a context manager that ends its sandbox.

    Attributes:
        cells: the code cells that run, as (index in the notebook, grade_id or "", source).
        outputs: nbformat outputs by cell index.
        incidents: what went wrong, for the TA.
    """

    cells: list[tuple[int, str, str]]
    limits: Limits
    preload: tuple[str, ...] = ()
    outputs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    incidents: list[Incident] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._sandbox: Sandbox | None = None
        self._borrowed = self._used = False
        self._skip: set[int] = set()
        self.channel: Channel

    def __enter__(self) -> Submission:
        self.execute()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._close()

    @property
    def device(self) -> str:
        """Where the tensors of hidden tests shall lie; see `Sandbox`."""
        return self.channel.sandbox.device

    def execute(self) -> None:
        """Run the cells in a new sandbox; a cell that ends it is left out of the next try."""
        self._used = False
        for _ in range(MAX_RESTARTS):
            self._open()
            broken = self._run_cells()
            if broken is None:
                return
            index, name, code = broken
            self._skip.add(index)
            self._report(f"cell-{code}", name, _CELL_TROUBLE.get(code, _CELL_TROUBLE["crash"]))
        self._report("gave-up", "", "too many cells ended the process; no cell was run")
        self._skip = {index for index, _, _ in self.cells}
        self._open()

    @contextmanager
    def fork(self, cpu_seconds: float, device: str | None = None) -> Iterator[str]:
        """A copy of the executed notebook for one test; nothing it does outlives the block.

        Args:
            cpu_seconds: what the copy may use.
            device: where tensors that are handed over shall lie; by default `self.device`.

        Yields:
            The device where they lie: "cpu" if the sandbox cannot use the other.

        Raises:
            ChannelBroken: inside the block, when the sandbox can no longer be used.
        """
        try:
            forked = self.channel.fork(cpu_seconds, device or self.device)
        except ChannelBroken:
            self.execute()
            raise
        if not forked:
            try:
                yield self.channel.device
            finally:
                self.execute()
            return
        forks = list(self.channel.forks)
        try:
            yield self.channel.device
        except ChannelBroken:
            self.execute()
            raise
        except BaseException:
            self._leave(forks)
            raise
        self._leave(forks)

    @contextmanager
    def stay(self, cpu_seconds: float) -> Iterator[None]:
        """The executed notebook itself, for tests that leave nothing behind in it.

        A fork less. What goes wrong inside the block ends it, and it is executed anew.

        Args:
            cpu_seconds: the limit of a fork, where this is a variant; in the notebook itself each
                test brings its own with its first request.

        Raises:
            ChannelBroken: inside the block, when the sandbox can no longer be used.
        """
        if self._borrowed:  # it cannot be executed anew
            with self.fork(cpu_seconds):
                yield
            return
        self._used = True
        try:
            self.channel.request("stay", 10)
            yield
            self.channel.request("rest", 10)
        except Exception:
            self.execute()
            raise

    def renew(self) -> None:
        """Execute the notebook anew if tests have been in it."""
        if self._used:
            self.execute()

    @contextmanager
    def variant(
        self, cells: list[tuple[int, str, str]], changed: tuple[str, str]
    ) -> Iterator[Submission]:
        """The executed notebook with one solution cell replaced, in a fork.

        Args:
            cells: all cells, with the replacement.
            changed: the name and the new source of the cell.
        """
        if self._sandbox is None or not self._sandbox.alive:
            self.execute()
        copy = Submission(cells, self.limits, self.preload)
        copy.channel, copy._sandbox, copy._borrowed = self.channel, self._sandbox, True
        with self.fork(self.limits.cell_cpu_seconds * 100, "cpu"):  # it will be forked again
            copy._rerun(*changed)
            try:
                yield copy
            finally:
                if copy._sandbox is not self._sandbox:  # it was executed anew, and ours ended
                    copy._close()

    def _rerun(self, name: str, source: str) -> None:
        index = next(index for index, cell, _ in self.cells if cell == name)
        whole, self.cells = self.cells, [(index, name, source)]
        if (broken := self._run_cells()) is not None:
            raise ChannelBroken(broken[2])
        self.cells = whole

    def _leave(self, forks: list[str]) -> None:
        """End the fork unless it ended by itself, or with its sandbox."""
        if self.channel.forks != forks or self._sandbox is None or not self._sandbox.alive:
            return
        try:
            self.channel.leave()
        except ChannelBroken:
            self.execute()

    def _run_cells(self) -> tuple[int, str, str] | None:
        for index, name, source in self.cells:
            if index in self._skip:
                continue
            seconds = self.limits.cell_cpu_seconds
            try:
                reply, _ = self.channel.request(
                    "run",
                    seconds,
                    source=source,
                    cpu_seconds=seconds,
                    output_bytes=self.limits.output_kb * 1024,
                )
            except ChannelBroken as error:
                return index, name, error.code
            state = reply.get("state")
            if state == "timeout":
                self._skip.add(index)
                self._report("cell-timeout", name, _CELL_TROUBLE["timeout"])
            if index not in self.outputs:
                outputs = reply.get("outputs")
                self.outputs[index] = outputs if isinstance(outputs, list) else []
                if reply.get("truncated") is True:
                    self._report("output-truncated", name, "the output of a cell was cut")
        return None

    def _report(self, code: str, name: str, detail: str) -> None:
        incident = Incident(code, name or None, detail)
        if incident not in self.incidents:
            self.incidents.append(incident)

    def _open(self) -> None:
        self._close()
        self._sandbox = Sandbox(self.limits, self.preload)
        self.channel = Channel(self._sandbox)

    def _close(self) -> None:
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None


_CELL_TROUBLE = {
    "timeout": "this cell used up its CPU time and was stopped",
    "crash": "this cell ended the process; it was left out",
    "memory": "this cell used up the memory; it was left out",
    "gpu-memory": "this cell used up the GPU's memory; it was left out",
    "no-answer": "this cell did not finish; it was left out",
    "protocol": "this cell disturbed the grader's channel; it was left out",
}


def graded_cells(notebook: NotebookNode) -> list[tuple[int, str, str]]:
    """The code cells that run when a notebook is graded.

    Cells tagged `show` or `train` and the visible checks are left out: the first only draw or
    train, the second are replaced by the hidden suite.
    """
    return [
        (index, cells.grade_id(cell) or "" if cells.is_solution(cell) else "", cell.source)
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and not cells.is_skipped(cell) and not cells.is_test(cell)
    ]

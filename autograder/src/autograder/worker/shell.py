"""An IPython shell without a kernel: it runs cells and keeps their outputs, capped.

There is no ZMQ and no Jupyter message here, so there is no connection key that a student could
use. What a cell shows is kept as nbformat outputs, in order, up to a number of bytes.
"""

from __future__ import annotations

import base64
import signal
import sys
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
from transform import CellTransformer

KEPT_MIMES = ("text/plain", "image/png", "image/jpeg")
TRUNCATED = "\n... output truncated\n"


class CellTimeout(BaseException):
    """Raised inside a cell that used up its CPU time; not an Exception, so `except` misses it."""


class Recorder:
    """The outputs of one cell: at most `limit` bytes of text and images."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.outputs: list[dict[str, Any]] = []
        self.used = 0
        self.truncated = False

    def stream(self, name: str, text: str) -> None:
        """Append text to the last output if it is the same stream."""
        text = self._fit(text)
        if not text:
            return
        last = self.outputs[-1] if self.outputs else {}
        if last.get("output_type") == "stream" and last["name"] == name:
            last["text"].append(text)
        else:
            self.outputs.append({"output_type": "stream", "name": name, "text": [text]})

    def data(self, kind: str, bundle: dict[str, Any]) -> None:
        """Add a displayed value or result; only text and bitmaps are kept."""
        kept: dict[str, str] = {}
        for mime in KEPT_MIMES:
            if mime not in bundle:
                continue
            value = bundle[mime]
            if isinstance(value, bytes):
                value = base64.b64encode(value).decode()
            if mime == "text/plain":
                kept[mime] = self._fit(str(value))
            elif self.used + len(value) <= self.limit:
                self.used += len(value)
                kept[mime] = value
            else:
                self.truncated = True
        if kept:
            self.outputs.append({"output_type": kind, "data": kept})

    def error(self, name: str, value: str, traceback: list[str]) -> None:
        """Add an exception."""
        text = self._fit("\n".join(traceback))
        output = {"ename": self._fit(name[:200]), "evalue": self._fit(value[:2000])}
        self.outputs.append({"output_type": "error", **output, "traceback": [text]})

    def finished(self) -> list[dict[str, Any]]:
        """The outputs as plain data."""
        for output in self.outputs:
            if output["output_type"] == "stream":
                output["text"] = "".join(output["text"])
        return self.outputs

    def _fit(self, text: str) -> str:
        room = self.limit - self.used
        if len(text) > room:
            if self.truncated:
                return ""
            self.truncated = True
            text = text[: max(room, 0)] + TRUNCATED
        self.used += len(text)
        return text.encode("utf-8", "replace").decode()


class _Stream:
    """Stands in for sys.stdout and sys.stderr."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, shell: CellShell, name: str) -> None:
        self.shell, self.name = shell, name

    def write(self, text: str) -> int:
        self.shell.recorder.stream(self.name, str(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Nothing is buffered."""

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        """The descriptor that child processes inherit: their output is not recorded."""
        return 1 if self.name == "stdout" else 2


class _DisplayHook(DisplayHook):
    def write_output_prompt(self) -> None:
        """No prompt: the output is recorded, not printed."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        self.shell.recorder.data("execute_result", dict(format_dict))

    def finish_displayhook(self) -> None:
        """No trailing newline."""


class _DisplayPublisher(DisplayPublisher):
    def publish(self, data: Any, *args: Any, **kwargs: Any) -> None:
        self.shell.recorder.data("display_data", dict(data))

    def clear_output(self, wait: bool = False) -> None:
        self.shell.recorder.outputs.clear()


class CellShell(InteractiveShell):
    """Runs one cell at a time and records what it shows."""

    displayhook_class = _DisplayHook
    display_pub_class = _DisplayPublisher

    def __init__(self, **kwargs: Any) -> None:
        self.recorder = Recorder(0)
        config = Config()
        config.HistoryManager.enabled = False  # it would start a thread, and a fork needs one
        config.InteractiveShell.automagic = False  # a name alone is a name (stateless/)
        super().__init__(config=config, **kwargs)
        self.colors = "nocolor"
        self.input_transformer_manager = CellTransformer()

    def enable_gui(self, gui: Any = None) -> None:
        """There is no event loop; matplotlib draws inline."""

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        self.recorder.error(etype.__name__, _safe_str(evalue), [str(line) for line in stb])

    def handle_signals(self) -> None:
        """Let an interrupt and the CPU timer of a cell raise exceptions in it."""
        signal.signal(signal.SIGPROF, _on_timer)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def run(self, source: str, cpu_seconds: float, output_bytes: int) -> dict[str, Any]:
        """Run one cell under a limit of CPU time.

        Returns:
            outputs, whether they were truncated, and `state`: "ok", "error" or "timeout".
        """
        self.recorder = recorder = Recorder(output_bytes)
        old = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = _Stream(self, "stdout"), _Stream(self, "stderr")
        try:
            state = self._run_timed(source, cpu_seconds)
        except CellTimeout:  # the timer rang once more while the cell was being stopped
            state = "timeout"
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout, sys.stderr = old
        return {"outputs": recorder.finished(), "truncated": recorder.truncated, "state": state}

    def _run_timed(self, source: str, cpu_seconds: float) -> str:
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds, 1.0)
        result = self.run_cell(source, store_history=False)
        signal.setitimer(signal.ITIMER_PROF, 0)
        if isinstance(result.error_in_exec, CellTimeout):
            return "timeout"
        return "error" if result.error_before_exec or result.error_in_exec else "ok"


def _on_timer(signum: int, frame: Any) -> None:
    raise CellTimeout("this cell used up its CPU time")


def start_shell() -> CellShell:
    """The one shell of this process, with inline plots."""
    return CellShell.instance()


def _safe_str(value: BaseException) -> str:
    try:
        return str(value)
    except BaseException:
        return "(its text could not be shown)"

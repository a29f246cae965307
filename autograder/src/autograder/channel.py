"""The grader's end of the protocol: one request at a time, call-backs answered on the way."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from autograder.sandbox import Sandbox
from autograder.worker import wire

MAX_CALLBACK_DEPTH = 2
MAX_CALLBACKS = 500_000  # in one request
# A reply that takes this much longer than its CPU limit allows comes from code that sleeps,
# unless the machine is so busy that the code waits for a core most of the time.
WALL_FACTOR, WALL_EXTRA = 10, 30
PROBE_SECONDS, MAX_STRETCH = 10, 10

Reply = tuple[dict[str, Any], wire.Decoder]


class ChannelBroken(Exception):
    """The sandbox can no longer be used; `code` is the incident."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ForkEnded(Exception):
    """The fork of this test ended before it answered; `status` is its exit code or -signal."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class NotShared(Exception):
    """A test calls what is not proved to keep nothing: it needs a fork of its own."""


class Patience:
    """The seconds that are left for a reply that may take so many CPU seconds.

    When they are over, the sandbox is looked at for a while. Code that waits for a core for
    more than half of it is not asleep and gets another while, so that load decides nothing.
    """

    def __init__(self, sandbox: Sandbox, cpu_seconds: float) -> None:
        self.sandbox = sandbox
        self.begun = time.monotonic()
        self.allowed = WALL_FACTOR * cpu_seconds + WALL_EXTRA
        self.end = self.begun + self.allowed
        self._before: dict[int, float] | None = None

    def __call__(self) -> float:
        now = time.monotonic()
        if now < self.end:
            return self.end - now
        waited, before = self.sandbox.seconds_waited(), self._before
        if now > self.begun + MAX_STRETCH * self.allowed:
            return 0.0
        if before is not None:
            longest = max((waited[pid] - before.get(pid, 0.0) for pid in waited), default=0.0)
            if longest < PROBE_SECONDS / 2:
                return 0.0
        self._before = waited
        self.end = now + PROBE_SECONDS
        return PROBE_SECONDS


class Channel:
    """Requests to one sandbox.

    Attributes:
        functions: call-backs of the grader that were handed over, by number.
        forks: the nonces of the forks that are open, innermost last.
        device: where the sandbox says that tensors lie which are handed over.
        waiting: how many requests have had no reply.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.functions: list[Callable[..., Any]] = []
        self.forks: list[str] = []
        self.device = "cpu"
        self.waiting = 0
        self._depth = 0

    def request(
        self, op: str, patience: float, encoder: wire.Encoder | None = None, **fields: Any
    ) -> Reply:
        """Send a request and wait for its reply, which may take `patience` CPU seconds.

        Raises:
            ChannelBroken: the sandbox is gone, broke the protocol or took too long.
            ForkEnded: the current fork ended instead of answering.
        """
        nonce = secrets.token_hex(8)
        left = Patience(self.sandbox, patience)
        header = {"op": op, "nonce": nonce, **fields}
        try:
            self.waiting += 1
            self._send(header, encoder.blobs if encoder else [])
            reply = self._wait(nonce, left)
            self.waiting -= 1
            return reply
        except (EOFError, ConnectionError) as error:
            raise ChannelBroken(self.sandbox.how_it_ended()) from error
        except TimeoutError as error:
            raise ChannelBroken("no-answer") from error
        except wire.WireError as error:
            raise ChannelBroken("protocol") from error

    def fork(self, cpu_seconds: float, device: str) -> bool:
        """Enter a fork of the sandboxed process; False if it cannot be forked.

        From here on tensors are handed over on `device`, if the sandbox can use it.
        """
        nonce = secrets.token_hex(8)
        header = {"op": "fork", "nonce": nonce, "cpu_seconds": cpu_seconds, "device": device}
        try:
            self._send(header, [])
            self.forks.append(nonce)
            answer, _ = wire.receive(self.sandbox.sock, Patience(self.sandbox, cpu_seconds))
        except TimeoutError as error:
            raise ChannelBroken("no-answer") from error
        except (OSError, EOFError) as error:
            raise ChannelBroken(self.sandbox.how_it_ended()) from error
        except wire.WireError as error:
            raise ChannelBroken("protocol") from error
        self.device = device if answer.get("device") == device else "cpu"
        forked = answer.get("nonce") == nonce and answer.get("forked") is True
        if not forked:
            self.forks.pop()
        return forked

    def leave(self) -> None:
        """End the current fork and return to its parent."""
        try:
            self.request("end", 1)
        except ForkEnded:
            return
        raise ChannelBroken("protocol")

    def _send(self, header: dict[str, Any], blobs: list[bytes]) -> None:
        """Send a frame to the innermost fork; if that has ended, its parents do not answer it."""
        to = self.forks[-1] if self.forks else ""
        wire.send(self.sandbox.sock, {**header, "to": to}, blobs)

    def _wait(self, nonce: str, left: Patience) -> Reply:
        for _ in range(MAX_CALLBACKS):
            header, blobs = wire.receive(self.sandbox.sock, left)
            decoder = wire.Decoder(blobs, {"o": lambda rest, _: object_ref(rest)})
            if header.get("nonce") == nonce:
                return header, decoder
            if "callback" in header:
                self._answer(header, decoder)
            elif self.forks and header.get("nonce") == self.forks[-1]:
                self.forks.pop()
                raise ForkEnded(_status(header.get("ended")))
            else:
                raise wire.WireError("unexpected frame")
        raise ChannelBroken("too-many-callbacks")

    def _answer(self, header: dict[str, Any], decoder: wire.Decoder) -> None:
        """Run the call-back that the sandbox asked for and send its value."""
        number = header["callback"]
        if type(number) is not int or not 0 <= number < len(self.functions):
            raise wire.WireError("no such call-back")
        if self._depth >= MAX_CALLBACK_DEPTH:
            raise wire.WireError("call-backs nested too deeply")
        call = decoder.decode(header.get("value"))
        if not (isinstance(call, tuple) and len(call) == 2 and isinstance(call[1], dict)):
            raise wire.WireError("malformed call-back")
        self._depth += 1
        forks = list(self.forks)
        encoder = wire.Encoder(self.special)
        try:
            tree = encoder.encode(self.functions[number](*call[0], **call[1]))
        except (ForkEnded, ChannelBroken, NotShared, wire.WireError):
            raise
        except Exception as error:
            if self.forks != forks:
                raise  # a nested call ended the process; there is nobody to answer
            # Bad arguments of the student's: the call-back raises in the sandbox too.
            kind = type(error).__name__ if type(error).__module__ == "builtins" else "ValueError"
            self._send({"op": "return", "nonce": "", "raise": kind}, [])
            return
        finally:
            self._depth -= 1
        header = {"op": "return", "nonce": "", "value": tree}
        self._send(header, encoder.blobs)

    def special(self, value: Any) -> list[Any] | None:
        """Values that only this side can name: objects in the sandbox, call-backs, seeds."""
        if hasattr(value, "to_wire"):
            return value.to_wire()
        if type(value).__name__ == "Generator" and hasattr(value, "initial_seed"):
            return ["g", value.initial_seed() % 2**53]
        if callable(value):
            if value not in self.functions:
                self.functions.append(value)
            return ["c", self.functions.index(value)]
        return None


class ObjectRef:
    """An object that stays in the sandbox."""

    def __init__(self, number: int, kind: str) -> None:
        self.number, self.kind = number, kind

    def to_wire(self) -> list[Any]:
        return ["o", self.number]


def object_ref(rest: list[Any]) -> ObjectRef:
    """What a tree with the tag of an object names."""
    number, kind = rest
    if type(number) is not int or kind not in ("object", "iterator"):
        raise wire.WireError("malformed object")
    return ObjectRef(number, kind)


def _status(value: Any) -> int:
    return value if type(value) is int else 1

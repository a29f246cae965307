"""The sandbox's side: runs the notebook's cells, then answers calls, as the grader asks.

Runs in a fork of the warm process (zygote.py), with one socket to the grader. Student code shares
this process, so nothing here is trusted by the grader; it only has to work for honest submissions
and to break in no other way than by a wrong answer.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import marshal
import os
import random
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import heap
import numpy as np
import torch
import wire
from model import build_model
from shell import CellShell

# From this fork on the heap is in order, which pays only where many forks follow.
FORKS_TO_PREPARE = 6
CPU_LIMIT = {signal.SIGXCPU}


class Ended(Exception):
    """The grader closed this session or this fork."""


class Worker:
    """One conversation with the grader; forks carry on where the notebook ended.

    Attributes:
        name: of this process: the nonce of the request that forked it, "" for the first.
        device: where the tensors lie that the grader hands over.
    """

    def __init__(self, sock: socket.socket, shell: CellShell) -> None:
        self.sock = sock
        self.shell = shell
        self.objects: list[Any] = []
        self.pid = os.getpid()
        self.name = ""
        self.forks = 0
        self.device = "cpu"

    def serve(self) -> None:
        """Answer requests until the grader ends the session."""
        while True:
            try:
                self.answer(*self.receive())
            except (Ended, EOFError):
                return

    def answer(self, request: dict[str, Any], blobs: list[bytes]) -> None:
        """Answer one request; nested calls arrive while a call-back is waiting."""
        nonce = request["nonce"]
        if "allow" in request:
            self.next_test(request["allow"])
        handler = getattr(self, "do_" + request["op"])
        handler(nonce, request, self.decoder(blobs))

    def receive(self) -> tuple[dict[str, Any], list[bytes]]:
        """The next frame for this process; one for a fork that has ended is dropped."""
        frame = wire.receive(self.sock)
        while frame[0]["to"] != self.name:
            frame = wire.receive(self.sock)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, CPU_LIMIT)
        return frame

    def reply(self, nonce: str, encoder: wire.Encoder | None = None, **header: Any) -> None:
        """Send the answer to the request with this nonce, or a call of a call-back.

        From here until the next frame is received, the CPU limit has to wait: it would leave half
        a frame behind.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, CPU_LIMIT)
        try:
            wire.send(self.sock, {"nonce": nonce, **header}, encoder.blobs if encoder else [])
        except BaseException:  # it was too large, and student code may catch that
            signal.pthread_sigmask(signal.SIG_UNBLOCK, CPU_LIMIT)
            raise

    # --- requests -------------------------------------------------------------------------

    def do_run(self, nonce: str, request: dict[str, Any], decoder: wire.Decoder) -> None:
        """Run one cell. A C loop that ignores the timer is ended by the soft CPU limit."""
        limit = request["cpu_seconds"]
        _limit_cpu(2 * limit + 2)
        result = self.shell.run(request["source"], limit, request["output_bytes"])
        self.end_strays()
        _limit_cpu(None)
        self.reply(nonce, **result)

    def do_fork(self, nonce: str, request: dict[str, Any], decoder: wire.Decoder) -> None:
        """Go on in a copy of this process; this one waits and reports how the copy ended.

        The test that follows gets its tensors on the requested device, if that can be used.
        """
        if not _alone():
            self.device = _usable(request["device"])
            self.reply(nonce, forked=False, device=self.device)
            return
        self.forks += 1
        if self.forks == FORKS_TO_PREPARE:
            heap.fill_holes()
            heap.gather_heap()
        pid = _fork()
        if pid == 0:
            self.pid, self.name = os.getpid(), nonce
            gc.disable()  # a collection would copy every page it visits,
            gc.freeze()  # but for those of what is made from here on
            self.device = _usable(request["device"])
            _limit_cpu(request["cpu_seconds"])
            self.reply(nonce, forked=True, device=self.device)
            self.serve()
            os._exit(0)
        status = os.waitpid(pid, 0)[1]
        self.reply(nonce, ended=os.waitstatus_to_exitcode(status))

    def do_stay(self, nonce: str, request: dict[str, Any], decoder: wire.Decoder) -> None:
        """Get ready for tests that are asked here and not in a fork."""
        gc.disable()
        gc.freeze()
        self.reply(nonce, ok=True)

    def do_rest(self, nonce: str, request: dict[str, Any], decoder: wire.Decoder) -> None:
        """These tests are over; nothing but forks will follow."""
        self.next_test(None)
        self.reply(nonce, ok=True)

    def next_test(self, cpu_seconds: float | None) -> None:
        """Let the next test in this process find what the first one found."""
        self.objects.clear()
        gc.collect()
        _limit_cpu(cpu_seconds)

    def do_end(self, nonce: str, request: dict[str, Any], decoder: wire.Decoder) -> None:
        """End this fork (its parent goes on) or this session."""
        raise Ended

    def do_names(self, nonce: str, request: dict[str, Any], decoder: wire.Decoder) -> None:
        """Say which of the requested names the notebook defines as something callable."""
        space = self.shell.user_ns
        self.reply(nonce, defined=[n for n in request["names"] if callable(space.get(n))])

    def do_bind(self, nonce: str, request: dict[str, Any], decoder: wire.Decoder) -> None:
        """Bind names of the notebook to call-backs that come with their pullbacks."""
        for name, (function, pullback) in decoder.decode(request["value"]).items():
            self.shell.user_ns[name] = _differentiable(function, pullback)
        self.reply(nonce, ok=True)

    def do_call(self, nonce: str, request: dict[str, Any], decoder: wire.Decoder) -> None:
        """Call a function of the notebook, an object or one of its methods."""
        args, kwargs = decoder.decode(request["args"]), decoder.decode(request["kwargs"])
        _seed(request["seed"])
        before = self.image((args, kwargs))
        self.attempt(nonce, lambda: self.target(request)(*args, **kwargs), before, (args, kwargs))

    def do_grad(self, nonce: str, request: dict[str, Any], decoder: wire.Decoder) -> None:
        """Call a function and differentiate its value with respect to named arguments."""
        args, kwargs = decoder.decode(request["args"]), decoder.decode(request["kwargs"])
        cotangent = decoder.decode(request["cotangent"])
        leaves = []
        for key in request["wrt"]:
            leaf = args[key] if isinstance(key, int) else kwargs[key]
            leaves.append(leaf.requires_grad_(True))
        _seed(request["seed"])
        before = self.image((args, kwargs))

        def run() -> Any:
            value = self.target(request)(*args, **kwargs)
            if request["item"] is not None:
                value = value[request["item"]]
            if not isinstance(value, torch.Tensor):
                return {"kind": type(value).__name__}
            if not value.requires_grad:
                return {"value": value, "grads": [None] * len(leaves), "requires_grad": False}
            number = value if cotangent is None else _product(value, cotangent)
            grads = torch.autograd.grad(number, leaves, allow_unused=True)
            return {"value": value, "grads": list(grads), "requires_grad": True}

        self.attempt(nonce, run, before, (args, kwargs))

    def do_get(self, nonce: str, request: dict[str, Any], decoder: wire.Decoder) -> None:
        """Read an attribute of an object."""
        holder = self.objects[request["object"]]
        self.attempt(nonce, lambda: getattr(holder, request["name"]))

    def do_take(self, nonce: str, request: dict[str, Any], decoder: wire.Decoder) -> None:
        """Take the next items of an iterator."""
        iterator = self.objects[request["object"]]
        self.attempt(nonce, lambda: list(islice(iterator, request["count"])))

    # --- calls ----------------------------------------------------------------------------

    def target(self, request: dict[str, Any]) -> Callable[..., Any]:
        """What a call is about: a name of the notebook, or an object and perhaps a method."""
        if request.get("object") is None:
            if request["name"] not in self.shell.user_ns:
                raise NameError(request["name"])
            return self.shell.user_ns[request["name"]]
        holder = self.objects[request["object"]]
        return getattr(holder, request["name"]) if request["name"] else holder

    def attempt(
        self,
        nonce: str,
        run: Callable[[], Any],
        before: Any = None,
        inputs: Any = None,
    ) -> None:
        """Run student code and send its value, or the kind of its failure, never its text."""
        try:
            value = run()
            self.end_strays()
        except Ended:
            raise
        except BaseException as error:
            self.end_strays()
            mro = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
            own = type(error).__module__ != "builtins"
            self.reply(nonce, raised=mro[0] if mro else "Exception", own=own)
            return
        mutated = before is not None and self.image(inputs) != before
        encoder = wire.Encoder(self.keep)
        try:
            tree = encoder.encode(value)
            self.reply(nonce, encoder, value=tree, mutated=mutated)
        except BaseException:
            self.reply(nonce, unsendable=True)

    def end_strays(self) -> None:
        """End a copy of this process that student code forked and that came back here."""
        if os.getpid() != self.pid:
            os._exit(0)

    def image(self, value: Any) -> Any:
        """A picture of the arguments, to see whether a call changed them."""
        with contextlib.suppress(ValueError):  # there is more than plain data
            return marshal.dumps(value, 2)  # later versions show who else refers to a part
        encoder = wire.Encoder(lambda each: ["?", id(each)])
        return encoder.encode(value), encoder.blobs

    def keep(self, value: Any) -> list[Any]:
        """Keep an object here and hand out its number."""
        self.objects.append(value)
        kind = "iterator" if isinstance(value, Iterator) else "object"
        return ["o", len(self.objects) - 1, kind]

    # --- values only this side can build ----------------------------------------------------

    def decoder(self, blobs: list[bytes]) -> wire.Decoder:
        return wire.Decoder(blobs, self.builders(), self.device)

    def builders(self) -> dict[str, Callable[[list[Any], wire.Decoder], Any]]:
        return {
            "c": lambda rest, decoder: self.callback(rest[0]),
            "o": lambda rest, decoder: self.objects[rest[0]],
            "g": lambda rest, decoder: torch.Generator().manual_seed(rest[0]),
            "m": lambda rest, decoder: build_model(*map(decoder.decode, rest), self.device),
        }

    def callback(self, number: int) -> Callable[..., Any]:
        """A function of the grader: its arguments and its value cross as data."""

        def call(*args: Any, **kwargs: Any) -> Any:
            encoder = wire.Encoder(self.keep)
            tree = encoder.encode((args, kwargs))
            self.reply("", encoder, callback=number, value=tree)
            while True:
                answer, blobs = self.receive()
                if answer["op"] == "return":
                    break
                self.answer(answer, blobs)
            if "raise" in answer:
                raise _exception(answer["raise"])
            return self.decoder(blobs).decode(answer["value"])

        return call


def _differentiable(function: Callable[..., Any], pullback: Callable[..., Any]) -> Any:
    """A call-back that gradients pass through: the grader computes their pullback."""

    def call(*args: Any, **kwargs: Any) -> Any:
        tensors = [each for each in (*args, *kwargs.values()) if _is_real(each)]
        if not any(each.requires_grad for each in tensors) or not torch.is_grad_enabled():
            return function(*args, **kwargs)
        shape: list[type] = []

        class Bridge(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *_: torch.Tensor) -> Any:
                value = function(*args, **kwargs)
                shape.append(type(value))
                return tuple(value) if isinstance(value, list | tuple) else value

            @staticmethod
            def backward(ctx: Any, *cotangents: torch.Tensor) -> Any:
                return tuple(pullback(args, kwargs, cotangents))

        value = Bridge.apply(*tensors)
        return list(value) if shape[0] is list else value

    return call


def _product(value: torch.Tensor, cotangent: torch.Tensor) -> torch.Tensor:
    """A number whose gradient is that of `value` with this cotangent.

    torch would first import sympy for a cotangent.
    """
    if value.shape != cotangent.shape:
        raise RuntimeError("a value and its cotangent have different shapes")
    return (value * cotangent.to(value.device).conj()).sum().real


def _is_real(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _fork() -> int:
    """os.fork(); if a cell left too many processes behind, they are ended and reaped first."""
    for _ in range(100):
        try:
            return os.fork()
        except OSError:
            with contextlib.suppress(OSError):
                os.kill(-1, signal.SIGKILL)  # all but this process and the namespace's init
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            time.sleep(0.05)
    return os.fork()


def _alone() -> bool:
    """Whether this process has one thread and no CUDA context, so that a fork of it works."""
    try:
        return len(os.listdir("/proc/self/task")) == 1 and not torch.cuda.is_initialized()
    except OSError:
        return False  # a cell used up the file descriptors


def _usable(device: str) -> str:
    """The device if a tensor can be had there, else "cpu".

    Asked only by the process of one test: one with a CUDA context cannot be forked any more.
    """
    if device != "cpu":
        try:
            torch.zeros(1, device=device).item()
        except Exception:
            return "cpu"
    return device


def _exception(name: str) -> Exception:
    kind = getattr(__import__("builtins"), name, ValueError)
    return kind("raised by a function that was handed to you")


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    # torch.manual_seed formats a stack trace for devices that are not there, at 1 ms a call.
    (torch.manual_seed if torch.version.cuda else torch.default_generator.manual_seed)(seed)


def _limit_cpu(seconds: float | None) -> None:
    """Allow this many further CPU seconds; the process is ended beyond. None lifts the limit."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    if seconds is None:
        resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def warm_up(gpu: bool) -> None:
    """Do once what every fork would otherwise do for itself on its first call.

    Args:
        gpu: whether a GPU is in sight. A gradient would then start a thread for it and initialise
            CUDA, and gradients would fail in every fork.
    """
    _seed(0)
    x = torch.ones(2, 2, dtype=torch.float64, requires_grad=True)
    y = (x @ x).softmax(-1).log().sum()
    if not gpu:
        torch.autograd.grad(y, x)
    encoder = wire.Encoder()
    tree = encoder.encode([x, {"a": 1.0}])
    wire.Decoder(encoder.blobs).decode(tree)


def warm_up_more() -> None:
    """Do what few forks would do for themselves: a gradient with a cotangent imports sympy."""
    importlib.import_module("torch.fx.experimental.symbolic_shapes")

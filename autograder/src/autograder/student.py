"""`student`: what a suite sees of a submission. Calls cross into the sandbox as data."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import torch

from autograder.channel import ChannelBroken, ForkEnded, NotShared, ObjectRef, Reply, object_ref
from autograder.submission import Submission
from autograder.worker import wire

SIGKILL, SIGSEGV, SIGXCPU = 9, 11, 24
OWN_EXCEPTION = "an exception of your own"

BUILTIN_EXCEPTIONS = frozenset(
    name
    for name, value in vars(__import__("builtins")).items()
    if isinstance(value, type) and issubclass(value, BaseException)
)


class CheckFailed(AssertionError):
    """A hidden test failed; the message is one of the fixed texts."""


class StudentFailed(CheckFailed):
    """The student's code did not answer: it raised, ran out of something, or sent no data."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code

    @property
    def believed(self) -> bool:
        """Whether it would be the same without the tests before it, in code that keeps nothing:
        they may have left less memory."""
        return self.code in ("", "raised", "test-timeout")


@dataclass(frozen=True)
class Gradient:
    """The value of a differentiable call and its gradients by position or name."""

    value: torch.Tensor
    grads: dict[int | str, torch.Tensor | None]
    requires_grad: bool


@dataclass(frozen=True)
class Model:
    """A model that the sandbox builds from plain data."""

    path: str
    config: dict[str, Any]
    state: dict[str, torch.Tensor]

    def to_wire(self) -> list[Any]:
        # Encoded by `Student.encoder`, which knows where the tensors go.
        raise TypeError("a model can only be an argument")


class Student:
    """Calls into one fork of a submission.

    Attributes:
        inplace: whether calls may change their arguments.
        seed: what the global random generators are set to before each call.
        only: the functions that may be called, in a fork that other tests used before; None in a
            fork of its own.
    """

    def __init__(
        self,
        submission: Submission,
        cpu_seconds: float,
        seed: int = 0,
        inplace: bool = False,
        only: Container[str] | None = None,
    ) -> None:
        self._submission = submission
        self._cpu_seconds = cpu_seconds
        self._sources = {name: source for _, name, source in submission.cells if name}
        self.seed = seed
        self.inplace = inplace
        self.only = only
        # With the first request, the CPU seconds are counted anew.
        self._renewal: dict[str, Any] = {} if only is None else {"allow": cpu_seconds}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self.call(name, args, kwargs)

    def call(
        self, name: str, args: tuple, kwargs: dict[str, Any], target: int | None = None
    ) -> Any:
        """The value of a call of a function (`target` None), an object or one of its methods."""
        self._see_allowed(name if target is None else None)
        fields = self._arguments(args, kwargs)
        return self._ask("call", name=name, object=target, **fields)

    def grad(
        self,
        name: str,
        *args: Any,
        wrt: tuple[int | str, ...],
        cotangent: torch.Tensor | None = None,
        item: int | str | None = None,
        **kwargs: Any,
    ) -> Gradient:
        """A call and its gradients with respect to the tensors at `wrt`.

        Args:
            name: the student's function; `args` and `kwargs` are its arguments.
            wrt: positions or names of tensor arguments.
            cotangent: what a non-scalar value is multiplied with; its shape.
            item: which entry of a returned tuple, list or dict is differentiated.
        """
        self._see_allowed(name)
        fields = self._arguments(args, kwargs, cotangent)
        got = self._ask("grad", name=name, wrt=list(wrt), item=item, **fields)
        value = got.get("value") if isinstance(got, dict) else None
        if not isinstance(value, torch.Tensor):
            raise StudentFailed("Your function must return a tensor that can be differentiated.")
        grads = got.get("grads")
        if not isinstance(grads, list) or len(grads) != len(wrt) or not all(map(_is_grad, grads)):
            raise ChannelBroken("protocol")
        grads = dict(zip(wrt, grads, strict=True))
        return Gradient(value, grads, got.get("requires_grad") is True)

    def new(self, name: str, *args: Any, **kwargs: Any) -> Handle:
        """An object of the student's class."""
        handle = self.call(name, args, kwargs)
        if not isinstance(handle, Handle):
            raise StudentFailed(f"`{name}(...)` did not make an object.")
        return handle

    def raised(self, name: str, *args: Any, **kwargs: Any) -> str | None:
        """What a call raised: the name of a built-in exception, a fixed text, or None."""
        return _raised(lambda: self.call(name, args, kwargs))

    def source(self, name: str) -> str:
        """The text of a solution cell as it was handed in."""
        return self._sources.get(name, "")

    def bind(self, functions: dict[str, Any]) -> None:
        """Put call-backs in the place of the student's functions; gradients pass through them."""
        encoder = self._encoder()
        tree = encoder.encode({name: (f, pullback(f)) for name, f in functions.items()})
        self._request("bind", encoder=encoder, value=tree)

    def _see_allowed(self, name: str | None) -> None:
        if self.only is not None and name is not None and name not in self.only:
            raise NotShared(name)

    def _arguments(self, args: tuple, kwargs: dict[str, Any], cotangent: Any = None) -> dict:
        encoder = self._encoder()
        fields = {
            "args": encoder.encode(tuple(args)),
            "kwargs": encoder.encode(kwargs),
            "cotangent": encoder.encode(cotangent),
            "seed": self.seed,
        }
        return {"encoder": encoder, **fields}

    def _encoder(self) -> wire.Encoder:
        def special(value: Any) -> list[Any] | None:
            if isinstance(value, Handle):
                return value._ref.to_wire()
            if isinstance(value, Model):
                parts = (value.path, value.config, value.state)
                return ["m", *(encoder.encode(part) for part in parts)]
            return self._submission.channel.special(value)

        encoder = wire.Encoder(special)
        return encoder

    def _request(self, op: str, **fields: Any) -> Reply:
        renewal, self._renewal = self._renewal, {}
        try:
            return self._submission.channel.request(op, self._cpu_seconds, **fields, **renewal)
        except ForkEnded as error:
            code, text = _endings(error.status)
            raise StudentFailed(text, code) from error

    def _ask(self, op: str, **fields: Any) -> Any:
        reply, decoder = self._request(op, **fields)
        if "raised" in reply:
            raise _Raised(_exception_name(reply))
        if "unsendable" in reply:
            raise _Unsendable(
                "Your function returned something that is not plain data, a tensor or an array."
            )
        if reply.get("mutated") is True and not self.inplace:
            raise StudentFailed(
                "Your function changed one of its arguments in place. Work on a copy."
            )
        return self._receive(reply, decoder)

    def _receive(self, reply: dict[str, Any], decoder: wire.Decoder) -> Any:
        decoder.special = {"o": lambda rest, _: Handle(self, object_ref(rest))}
        try:
            return decoder.decode(reply.get("value"))
        except wire.WireError as error:
            raise ChannelBroken("protocol") from error


def pullback(function: Any) -> Any:
    """The vector-Jacobian product of a function of tensors, as a call-back.

    Its arguments are those of `function`, then the cotangents of its outputs; its value is a list
    with the gradient of every tensor argument, in the order of `args` and then `kwargs`.
    """

    def pull(args: Any, kwargs: Any, cotangents: Any) -> list[torch.Tensor | None]:
        args = [_leaf(each) for each in args]
        kwargs = {key: _leaf(each) for key, each in kwargs.items()}
        leaves = [each for each in (*args, *kwargs.values()) if _is_real(each)]
        value = function(*args, **kwargs)
        outputs = list(value) if isinstance(value, list | tuple) else [value]
        pairs = [
            (output, cotangent)
            for output, cotangent in zip(outputs, cotangents, strict=True)
            if isinstance(output, torch.Tensor) and output.requires_grad
        ]
        if not pairs:
            return [None] * len(leaves)
        results, weights = zip(*pairs, strict=True)
        return list(torch.autograd.grad(results, leaves, weights, allow_unused=True))

    return pull


def _is_grad(value: Any) -> bool:
    return value is None or isinstance(value, torch.Tensor)


def _is_real(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _leaf(value: Any) -> Any:
    return value.requires_grad_(True) if _is_real(value) else value


class Handle:
    """An object of the student's that stays in the sandbox."""

    def __init__(self, student: Student, ref: ObjectRef) -> None:
        self._student, self._ref = student, ref

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self._student.call(name, args, kwargs, self._ref.number)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._student.call("", args, kwargs, self._ref.number)

    def get(self, name: str) -> Any:
        """The value of an attribute."""
        return self._student._ask("get", object=self._ref.number, name=name)

    def take(self, count: int) -> list[Any]:
        """The next `count` items of an iterator (fewer if it ends)."""
        if self._ref.kind != "iterator":
            raise StudentFailed("Your function must return an iterator.")
        items = self._student._ask("take", object=self._ref.number, count=count)
        if not isinstance(items, list) or len(items) > count:
            raise ChannelBroken("protocol")
        return items

    def raised(self, name: str, *args: Any, **kwargs: Any) -> str | None:
        """What a method raised; see `Student.raised`."""
        return _raised(lambda: self._student.call(name, args, kwargs, self._ref.number))


class _Unsendable(StudentFailed):
    """The sandbox could not encode a value, perhaps for want of memory."""

    believed = False


class _Raised(StudentFailed):
    """The student's code raised; `name` is safe to show."""

    def __init__(self, name: str) -> None:
        hint = _HINTS.get(name, "")
        super().__init__(f"Your code raised {name}.{hint}", "raised")
        self.name = name

    @property
    def believed(self) -> bool:
        return self.name not in ("MemoryError", "RuntimeError", OWN_EXCEPTION)


_HINTS = {
    "NotImplementedError": " This exercise, or one it uses, is not written yet.",
    "NameError": " A name it uses is not defined when the notebook runs from top to bottom.",
    "KeyError": " The name or key it looks up does not exist.",
    "RecursionError": " A function calls itself without an end.",
    "MemoryError": " It asked for more memory than is allowed.",
}


def _raised(run: Any) -> str | None:
    try:
        run()
    except _Raised as error:
        return error.name
    return None


def _exception_name(reply: dict[str, Any]) -> str:
    name = reply["raised"]
    known = isinstance(name, str) and name in BUILTIN_EXCEPTIONS and reply.get("own") is False
    return name if known else OWN_EXCEPTION


def _endings(status: int) -> tuple[str, str]:
    """Incident code and message for a fork that ended with this exit code or -signal."""
    if status == -SIGXCPU:
        return "test-timeout", "Your code used up its CPU time. Does a loop never end?"
    if status == -SIGSEGV:
        return "test-crash", "The process crashed (SIGSEGV) while your code ran."
    if status == -SIGKILL:
        return "test-crash", "The process was killed while your code ran."
    return "test-crash", "Your code ended the process instead of returning."

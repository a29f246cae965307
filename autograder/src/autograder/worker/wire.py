"""The data-only protocol between the grader and the sandbox.

A frame is two lengths, a JSON header and the bytes of its tensors:

    uint32 header length | uint32 blob length | header (UTF-8 JSON) | blobs, back to back

Values cross as trees of white-listed kinds. Plain JSON scalars stand for themselves; everything
else is a list that starts with a tag (see `Encoder`). Nothing is pickled or evaluated, and what
comes in is counted before it is built. Both ends use this file.
"""

from __future__ import annotations

import json
import math
import socket
import struct
import time
from collections.abc import Callable, Collection, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import torch

MAX_HEADER = 32 * 2**20
MAX_BLOBS = 256 * 2**20
MAX_NODES = 1_000_000
MAX_DEPTH = 24
# A node is at most three lists: a dict has one for its keys and one for its values.
MAX_BRACKETS = 3 * MAX_NODES
MAX_INT_DIGITS = 1000
MAX_PLAIN = 2**53  # integers up to here are the same in every JSON
_LENGTHS = struct.Struct("!II")

_NUMBERS = "bool uint8 int8 int16 int32 int64 float16 float32 float64 complex64 complex128".split()
DTYPES = {name: getattr(torch, name) for name in (*_NUMBERS, "bfloat16")}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_CONTAINERS: dict[type, str] = {
    list: "l",
    tuple: "t",
    bytes: "b",
    bytearray: "b",
    set: "s",
    frozenset: "s",
    dict: "d",
    Mapping: "d",
}
_SEQUENCES = {"l": list, "t": tuple, "s": frozenset}
_HAVE_TAGS = frozenset({list, dict})
NUMPY_DTYPES = frozenset({*_NUMBERS, "uint16", "uint32", "uint64"})


class WireError(Exception):
    """The other end sent something that is not allowed; the channel is no longer used."""


class Unsendable(Exception):
    """A value that has no place in the protocol; the message names its kind, not its content."""


# --- frames -------------------------------------------------------------------------------


def send(sock: socket.socket, header: Mapping[str, Any], blobs: list[bytes]) -> None:
    """Send one frame; the header gets the sizes of the blobs."""
    text = json.dumps({**header, "sizes": [len(blob) for blob in blobs]}).encode()
    total = sum(map(len, blobs))
    if len(text) > MAX_HEADER or total > MAX_BLOBS:
        raise Unsendable("a value that is too large")
    # At once: a piece that arrives alone wakes the other end for nothing.
    sock.sendall(b"".join([_LENGTHS.pack(len(text), total), text, *blobs]))


def receive(
    sock: socket.socket, left: Callable[[], float] | None = None
) -> tuple[dict[str, Any], list[bytes]]:
    """Receive one frame, its size checked before anything is allocated.

    Args:
        sock: a blocking stream socket.
        left: how many seconds are left for the frame as a whole; by default it may take for ever.

    Raises:
        EOFError: the other end is gone.
        WireError: the frame is malformed or too large.
        TimeoutError: no time is left.
    """
    header_size, blob_size = _LENGTHS.unpack(_read(sock, _LENGTHS.size, left))
    if header_size > MAX_HEADER or blob_size > MAX_BLOBS:
        raise WireError("frame too large")
    data = _read(sock, header_size + blob_size, left)
    text = data[:header_size]
    if text.count(b"[") + text.count(b"{") > MAX_BRACKETS:
        raise WireError("too many parts")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError("header is not JSON") from error
    sizes = header.pop("sizes", None) if isinstance(header, dict) else None
    if not isinstance(sizes, list) or not all(type(n) is int and n >= 0 for n in sizes):
        raise WireError("bad sizes")
    if sum(sizes) != blob_size:
        raise WireError("sizes do not add up")
    blobs, start = [], header_size
    for size in sizes:
        blobs.append(data[start : start + size])
        start += size
    return header, blobs


def until(end: float) -> Callable[[], float]:
    """The seconds that are left until `end` on the clock of `time.monotonic`."""
    return lambda: end - time.monotonic()


def _read(sock: socket.socket, size: int, left: Callable[[], float] | None) -> bytes:
    buffer = bytearray(size)
    view = memoryview(buffer)
    while view:
        if left is not None:
            seconds = left()
            if seconds <= 0:
                raise TimeoutError
            sock.settimeout(seconds)
        try:
            count = sock.recv_into(view)
        except TimeoutError:
            continue  # `left` may have more to give by now
        if count == 0:
            raise EOFError("the other end is gone")
        view = view[count:]
    return bytes(buffer)


# --- values -------------------------------------------------------------------------------


class Encoder:
    """Turns values into trees; `special` may claim a value first (objects, call-backs, models).

    Tags: l list, t tuple, d dict, s set, b bytes, i big int, q Fraction, n numpy scalar,
    N numpy array, T tensor, and those of `special`. Where all items of a container are bytes, the
    list of their trees is an object that says where their blobs end, and how many they are.
    """

    def __init__(self, special: Callable[[Any], list[Any] | None] = lambda value: None) -> None:
        self.special = special
        self.blobs: list[bytes] = []
        self.nodes = 0

    def encode(self, value: Any, depth: int = 0) -> Any:
        """The tree of `value`; its bytes are appended to `self.blobs`."""
        self._count(1, depth)
        if value is None or value is True or value is False:
            return value
        kind = type(value)
        if kind is str:
            return _text(value)
        if kind is int:
            return _integer(value)
        if kind is float:
            return value
        tagged = self._container(value, depth) or self._array(value)
        tagged = tagged or self._subclass(value) or self.special(value)
        if tagged is None:
            raise Unsendable(f"an object of type {kind.__name__}")
        return tagged

    def _count(self, nodes: int, depth: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES or depth > MAX_DEPTH:
            raise Unsendable("a value that is too large or nested too deeply")

    def _container(self, value: Any, depth: int) -> list[Any] | None:
        tag = _CONTAINERS.get(type(value)) or _inherited_tag(value)
        if tag == "b":
            return ["b", self._blob(bytes(value))]
        if tag == "d":
            keys, values = zip(*value.items(), strict=True) if value else ((), ())
            return ["d", self._items(keys, depth + 1), self._items(values, depth + 1)]
        return [tag, self._items(value, depth + 1)] if tag else None

    def _items(self, values: Collection[Any], depth: int) -> list[Any] | dict[str, int]:
        """The tree of each; all at once where all are bytes, or stand for themselves."""
        kinds = set(map(type, values))
        if kinds == {bytes}:
            self._count(len(values), depth)
            self.blobs += values
            return {"end": len(self.blobs), "count": len(values)}
        if not _stand_for_themselves(values, kinds):
            return [self.encode(each, depth) for each in values]
        self._count(len(values), depth if values else 0)
        return list(values)

    def _array(self, value: Any) -> list[Any] | None:
        if isinstance(value, torch.Tensor):
            return ["T", *self._tensor(value)]
        if isinstance(value, np.ndarray) and value.dtype.name in NUMPY_DTYPES:
            data = np.ascontiguousarray(value).tobytes()
            return ["N", value.dtype.name, list(value.shape), self._blob(data)]
        if isinstance(value, np.generic) and value.dtype.name in NUMPY_DTYPES:
            return ["n", value.dtype.name, self._blob(value.tobytes())]
        return None

    def _subclass(self, value: Any) -> Any:
        if isinstance(value, Fraction):
            return ["q", _integer(value.numerator), _integer(value.denominator)]
        if isinstance(value, str):
            return ["u", _text(str.__str__(value))]
        if isinstance(value, int):
            return ["v", _integer(int.__int__(value))]
        if isinstance(value, float):
            return ["w", float.__float__(value)]
        return None

    def _tensor(self, value: torch.Tensor) -> list[Any]:
        plain = value.detach()
        if plain.layout != torch.strided:
            plain = plain.to_dense()
        plain = plain.cpu().resolve_conj().resolve_neg()
        if plain.dtype not in _NAMES:
            raise Unsendable("a tensor of an unusual dtype")
        # numpy has no bfloat16; its bytes are in the order of the shape, whatever the strides.
        bits = plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain
        return [_NAMES[plain.dtype], list(plain.shape), self._blob(bits.numpy().tobytes())]

    def _blob(self, data: bytes) -> int:
        self.blobs.append(data)
        return len(self.blobs) - 1


class Decoder:
    """Builds values from trees; `special` maps further tags to builders.

    Tensors lie on `device`.
    """

    def __init__(
        self,
        blobs: list[bytes],
        special: Mapping[str, Callable[[list[Any], Decoder], Any]] | None = None,
        device: str = "cpu",
    ) -> None:
        self.blobs = blobs
        self.device = device
        self.special = special or {}
        self.nodes = 0

    def decode(self, tree: Any, depth: int = 0) -> Any:
        """The value of `tree`.

        Raises:
            WireError: the tree breaks a rule of the protocol.
        """
        self._count(1, depth)
        if not isinstance(tree, list):
            if isinstance(tree, dict):
                raise WireError("untagged object")
            return tree
        try:
            return self._tagged(tree, depth + 1)
        except (TypeError, ValueError, LookupError, ArithmeticError, RuntimeError) as error:
            raise WireError("malformed value") from error

    def _count(self, nodes: int, depth: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES or depth > MAX_DEPTH:
            raise WireError("value too large or nested too deeply")

    def _tagged(self, tree: list[Any], depth: int) -> Any:
        tag, *rest = tree
        if tag in self.special:
            return self.special[tag](rest, self)
        if tag in _SEQUENCES:
            return _SEQUENCES[tag](self._items(rest[0], depth))
        if tag == "d":
            keys, values = (self._items(part, depth) for part in rest)
            return dict(zip(keys, values, strict=True))
        if tag == "b":
            return self.blob(rest[0])
        if tag == "i":
            return _big_integer(rest[0])
        if tag == "q":
            return Fraction(self.decode(rest[0], depth), self.decode(rest[1], depth))
        if tag in ("u", "v", "w"):
            return {"u": str, "v": int, "w": float}[tag](self.decode(rest[0], depth))
        if tag == "n":
            data = self.blob(rest[1])
            return np.frombuffer(data, dtype=_numpy_dtype(rest[0]), count=1)[0]
        if tag == "N":
            return self._numpy(*rest)
        if tag == "T":
            return self._torch(*rest)
        raise WireError("unknown tag")

    def _items(self, trees: Any, depth: int) -> list[Any]:
        """The value of each; all at once where all are bytes, or stand for themselves."""
        if isinstance(trees, dict):
            return self._bytes(depth, **trees)
        if _HAVE_TAGS.isdisjoint(map(type, _list(trees))):
            self._count(len(trees), depth if trees else 0)
            return trees
        return [self.decode(each, depth) for each in trees]

    def _bytes(self, depth: int, end: Any, count: Any) -> list[bytes]:
        """The blobs before `end`, so many of them."""
        if type(end) is not int or type(count) is not int:
            raise WireError("bad bytes")
        if not 0 < count <= end <= len(self.blobs):
            raise WireError("no such blobs")
        self._count(count, depth)
        return self.blobs[end - count : end]

    def blob(self, index: Any) -> bytes:
        """The bytes with this index."""
        if type(index) is not int or not 0 <= index < len(self.blobs):
            raise WireError("no such blob")
        return self.blobs[index]

    def _torch(self, name: str, shape: Any, index: Any) -> torch.Tensor:
        dtype, data = DTYPES[name], self.blob(index)
        _check_shape(shape, len(data), dtype.itemsize)
        if not data:
            return torch.empty(shape, dtype=dtype, device=self.device)
        if dtype == torch.bool and max(data) > 1:
            raise WireError("bad bool")
        value = torch.frombuffer(bytearray(data), dtype=dtype).reshape(shape)
        return value if self.device == "cpu" else value.to(self.device)

    def _numpy(self, name: str, shape: Any, index: Any) -> np.ndarray:
        dtype, data = _numpy_dtype(name), self.blob(index)
        _check_shape(shape, len(data), dtype.itemsize)
        return np.frombuffer(bytearray(data), dtype=dtype).reshape(shape)


def _check_shape(shape: Any, size: int, itemsize: int) -> None:
    dims = _list(shape)
    if len(dims) > 8 or not all(type(n) is int and 0 <= n <= 2**31 for n in dims):
        raise WireError("bad shape")
    if math.prod(dims) * itemsize != size:
        raise WireError("shape and size disagree")


def _numpy_dtype(name: Any) -> np.dtype:
    if name not in NUMPY_DTYPES:
        raise WireError("dtype not allowed")
    return np.dtype(name)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise WireError("a list was expected")
    return value


def _inherited_tag(value: Any) -> str:
    return next((tag for kind, tag in _CONTAINERS.items() if isinstance(value, kind)), "")


def _stand_for_themselves(values: Collection[Any], kinds: set[type]) -> bool:
    """Whether JSON has all values of these kinds as they are; False where that is long to tell."""
    if kinds == {int}:
        return min(values) >= -MAX_PLAIN and max(values) <= MAX_PLAIN
    if kinds == {str}:
        return "".join(values).isascii()
    return kinds <= {float, bool, type(None)}


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Unsendable("a string that is not valid Unicode") from error
    return value


def _integer(value: int) -> Any:
    if -MAX_PLAIN <= value <= MAX_PLAIN:
        return value
    if value.bit_length() > 3 * MAX_INT_DIGITS:
        raise Unsendable("a number that is too large")
    return ["i", str(value)]


def _big_integer(text: Any) -> int:
    if not isinstance(text, str) or len(text) > MAX_INT_DIGITS + 1:
        raise WireError("bad integer")
    return int(text)

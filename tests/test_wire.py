"""The protocol: what crosses comes back as it was, and nothing malformed gets through."""

import json
import socket
import struct
import time
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.worker import wire

scalars = (
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats(allow_nan=False)
)
keys = st.text() | st.integers() | st.tuples(st.integers(), st.integers())
values = st.recursive(
    scalars | st.fractions(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=20,
)


def crossed(value):
    """The value after a trip through JSON."""
    encoder = wire.Encoder()
    tree = json.loads(json.dumps(encoder.encode(value)))
    return wire.Decoder(encoder.blobs).decode(tree)


def same(a, b) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return a == b


@given(values)
@settings(max_examples=300, deadline=None)
def test_plain_data_survives(value):
    assert same(crossed(value), value)


@pytest.mark.parametrize("dtype", list(wire.DTYPES.values()), ids=str)
def test_tensors_of_every_dtype_survive(dtype):
    tensor = torch.arange(6).reshape(2, 3).to(dtype)
    parts = {"plain": tensor, "strided": tensor.T, "empty": tensor[:0], "scalar": tensor[1, 1]}
    got = crossed(parts | {"single": tensor[1:, 2::3]})
    assert all(each.dtype == dtype for each in got.values())
    assert torch.equal(got["single"], tensor[1:, 2:])  # one entry, stride 3
    assert torch.equal(got["plain"], tensor) and torch.equal(got["strided"], tensor.T)
    assert got["empty"].shape == (0, 3) and got["scalar"].shape == ()


def test_special_floats_arrays_and_counters_survive():
    got = crossed([float("inf"), np.float32(0.5), np.arange(4.0), Counter("aab"), Fraction(1, 3)])
    assert got[0] == float("inf") and got[1] == np.float32(0.5) and type(got[1]) is np.float32
    assert (
        got[2].tolist() == [0, 1, 2, 3] and got[3] == {"a": 2, "b": 1} and got[4] == Fraction(1, 3)
    )


def test_a_number_that_lies_about_equality_crosses_as_its_value():
    class Liar(int):
        __eq__ = lambda self, other: True  # noqa: E731
        __hash__ = int.__hash__

    assert type(crossed(Liar(3))) is int and crossed(Liar(3)) == 3


@pytest.mark.parametrize(
    "value", [object(), iter([]), lambda: 0, 10**5000, "\ud800"], ids=lambda v: type(v).__name__
)
def test_what_is_not_data_is_refused_at_the_sender(value):
    with pytest.raises(wire.Unsendable):
        wire.Encoder().encode(value)


def test_a_list_that_holds_itself_is_refused():
    loop: list = []
    loop.append(loop)
    with pytest.raises(wire.Unsendable):
        wire.Encoder().encode(loop)


MALFORMED = [
    {"untagged": 1},
    [],
    ["?"],
    ["l"],
    ["l", 3],
    ["d", [1]],
    ["d", [1], []],
    ["d", [["l", []]], [1]],
    ["l", {}],
    ["l", {"end": 2, "count": 1}],
    ["l", {"end": 1, "count": 2}],
    ["l", {"end": 0, "count": 0}],
    ["l", {"end": 0, "count": -1}],
    ["l", {"end": True, "count": 1}],
    ["l", {"end": 1, "count": 1, "more": 1}],
    ["b", 1],
    ["b", -1],
    ["b", True],
    ["i", "1" * 2000],
    ["i", 5],
    ["q", 1, 0],
    ["T", "float64", [1], 0],
    ["T", "float64", [2**40, 0], 0],
    ["T", "object", [1], 0],
    ["T", "bool", [4], 0],
    ["T", "uint8", [4, 1, 1, 1, 1, 1, 1, 1, 1], 0],
    ["T", "uint8", ["4"], 0],
    ["N", "object", [1], 0],
    ["n", "float64", 0],
    [["l"], []],
]


@pytest.mark.parametrize("tree", MALFORMED, ids=json.dumps)
def test_malformed_trees_are_refused(tree):
    with pytest.raises(wire.WireError):
        wire.Decoder([b"\x00\x01\x02\x03"]).decode(tree)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(list("ltdsbiquvwnNT")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=30,
)


@given(json_values, st.lists(st.binary(max_size=16), max_size=3))
@settings(max_examples=500, deadline=None)
def test_any_tree_is_decoded_or_refused(tree, blobs):
    try:
        wire.Decoder(blobs).decode(tree)
    except wire.WireError:
        pass


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def frame(header: bytes, blobs: bytes = b"") -> bytes:
    return struct.pack("!II", len(header), len(blobs)) + header + blobs


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("!II", 2**32 - 1, 0),
        struct.pack("!II", 2, 2**32 - 1),
        frame(b"not json"),
        frame(b"[" * 100_000),
        frame(b"[1]"),
        frame(b'{"sizes": [1]}'),
        frame(b'{"sizes": [-1, 2]}', b"x"),
        frame(b'{"sizes": [true]}', b"x"),
        frame(b'{"sizes": "x"}'),
        frame(b'{"n": ' + b"9" * 5000 + b', "sizes": []}'),
    ],
    ids=range(10),
)
def test_malformed_frames_are_refused(pair, data):
    ours, theirs = pair
    theirs.sendall(data)
    with pytest.raises(wire.WireError):
        wire.receive(ours, wire.until(time.monotonic() + 5))


def test_a_frame_that_trickles_meets_the_deadline(pair):
    ours, theirs = pair
    theirs.sendall(frame(b'{"sizes": []}')[:-1])
    with pytest.raises(TimeoutError):
        wire.receive(ours, wire.until(time.monotonic() + 0.2))


def test_the_end_of_the_other_side_is_noticed(pair):
    ours, theirs = pair
    theirs.close()
    with pytest.raises(EOFError):
        wire.receive(ours)

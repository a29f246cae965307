"""Drawn input at every door of the grader: files, outputs, frames of the protocol.

`make test` draws the same few hundred examples every time; `-m soak` draws others, and many more.
"""

import base64
import io
import itertools
import json
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager
from PIL import Image
from tiny_class import RIGHT, TINY

from autograder import build, cells, submission
from autograder.config import Assignment, assignments
from autograder.grade import Releases, prepare_folder
from autograder.outputs import clean_outputs
from autograder.reader import MISSING, UNREADABLE
from autograder.scoring import Suite, score_with, with_suite
from autograder.worker import wire
from autograder.worker.transform import CellTransformer

odd_text = st.sampled_from(["\ud800", "\x00\x1b[2J", "\u202e", "double", "test_double", "code"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | odd_text
junk = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def few_or_many(few: int, many: int) -> Any:
    """The same few examples in every run, or, in a soak, many new ones."""
    return pytest.mark.parametrize(
        "examples",
        [pytest.param(few, id="few"), pytest.param(many, id="many", marks=pytest.mark.soak)],
    )


def holds(check: Callable[..., None], examples: int, **drawn: Any) -> None:
    """Whether a property holds for what is drawn."""
    how = settings(
        max_examples=examples,
        derandomize=examples < 1000,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    how(given(**drawn)(check))()


@pytest.fixture(scope="module")
def assignment(tmp_path_factory: pytest.TempPathFactory) -> Assignment:
    root = tmp_path_factory.mktemp("fuzz") / "tiny"
    shutil.copytree(TINY, root)
    (found,) = assignments(root)
    build.write(found)
    return found


def answered(assignment: Assignment) -> nbformat.NotebookNode:
    notebook = nbformat.read(assignment.released, as_version=4)
    for cell in notebook.cells:
        cell.source = RIGHT.get(cell.id, cell.source)
    return notebook


# --- files ----------------------------------------------------------------------------------

places = st.integers(0, 10**6)
edits = st.lists(st.tuples(places, st.sampled_from(["put", "cut", "copy"]), junk), max_size=4)
damages = st.lists(st.tuples(places, places, st.binary(max_size=8)), max_size=3)
file_names = st.binary(max_size=12).filter(lambda name: not {0, ord("/")} & set(name))


def edited(tree: Any, edits: list[tuple[int, str, Any]]) -> Any:
    """JSON with some of its parts replaced, left out, or there twice."""
    for place, kind, value in edits:
        parts = list(_parts(tree))
        if not parts:
            break
        holder, key = parts[place % len(parts)]
        if kind == "put":
            holder[key] = value
        elif kind == "cut":
            del holder[key]
        elif isinstance(holder, list):
            holder.append(json.loads(json.dumps(holder[key])))
    return tree


def _parts(tree: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(tree, dict | list):
        for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from _parts(tree[key])


def damaged(content: bytes, damages: list[tuple[int, int, bytes]]) -> bytes:
    """Bytes with some stretches replaced."""
    for start, length, new in damages:
        start %= len(content) + 1
        content = content[:start] + new + content[start + length % 40 :]
    return content


@few_or_many(250, 20_000)
def test_every_file_gives_a_notebook_of_the_release(
    assignment: Assignment, tmp_path: Path, examples: int
) -> None:
    releases = Releases(assignment)
    original = json.dumps(answered(assignment))
    locked = [cell.source for cell in releases.current.cells if cells.is_locked(cell)]

    def check(edits: Any, damages: Any, name: bytes) -> None:
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()
        content = damaged(json.dumps(edited(json.loads(original), edits)).encode(), damages)
        (tmp_path / "tiny.ipynb").write_bytes(content)
        try:
            Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name + b".ipynb")).write_bytes(content)
        except OSError:
            pass  # no name for a file
        notebook = prepare_folder(tmp_path, releases)
        status = notebook.metadata.sft2rl.status
        assert status in ("", MISSING) or status.startswith(UNREADABLE)
        nbformat.validate(nbformat.reads(cells.to_text(notebook).encode().decode(), as_version=4))
        assert cells.exercises(notebook) == {"double": 2.0, "Counter": 1.5}
        assert [cell.source for cell in notebook.cells if cells.is_locked(cell)] == locked

    holds(check, examples, edits=edits, damages=damages, name=file_names)


# --- outputs --------------------------------------------------------------------------------


def picture(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (5, 4), "red").save(buffer, kind)
    return buffer.getvalue()


PICTURES = {"image/png": picture("PNG"), "image/jpeg": picture("JPEG")}
OUTPUTS = [
    {"output_type": "stream", "name": "stdout", "text": "x"},
    {"output_type": "error", "ename": "E", "evalue": "x", "traceback": ["x"]},
    {"output_type": "display_data", "data": {"text/plain": "x", "image/png": "x"}},
    {"output_type": "execute_result", "data": {"text/html": "<p>"}, "execution_count": 1},
]


@few_or_many(250, 20_000)
def test_every_output_is_cleaned_or_dropped(examples: int) -> None:
    def check(edits: Any, mime: str, damages: Any) -> None:
        image = base64.b64encode(damaged(PICTURES[mime], damages)).decode()
        drawn = {"output_type": "display_data", "data": {mime: image}, "metadata": {}}
        outputs = clean_outputs([*edited(json.loads(json.dumps(OUTPUTS)), edits), drawn])
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(id="a")])
        notebook.cells[0].outputs = nbformat.from_dict(outputs)
        nbformat.validate(notebook)
        kinds = {kind for each in outputs for kind in each.get("data", {})}
        assert kinds <= {"text/plain", "image/png", "image/jpeg"}
        json.dumps(outputs).encode()

    mimes = st.sampled_from(list(PICTURES))
    holds(check, examples, edits=edits, mime=mimes, damages=damages)


# --- frames ---------------------------------------------------------------------------------

SUITE = '''
import torch

from autograder.suite import exercise, expect

DEPENDS = {"Counter": ["double"]}


@exercise("double")
def test_values(student, draw):
    """A value, a function that is handed over, and what is raised."""
    expect(student.double(lambda x: [x] * 3)).equals("right", "No.")
    student.raised("double", 1)


@exercise("double")
def test_gradients(student, draw):
    """A gradient."""
    x = torch.ones(2, dtype=torch.float64)
    got = student.grad("double", x, wrt=(0,))
    expect(got.grads[0]).close(torch.full_like(x, 7.0), "No.")


@exercise("Counter")
def test_objects(student, draw):
    """An object, its attribute and its items."""
    counter = student.new("Counter")
    expect([counter(), counter.get("n"), counter.take(2)]).equals(["right"] * 3, "No.")
'''

letters = st.sampled_from(list("ltdsbiquvwnNTocgm"))
trees = st.recursive(
    scalars | letters,
    lambda inner: st.lists(inner, max_size=4) | st.tuples(letters, inner).map(list),
    max_leaves=12,
)
values = (
    trees
    | st.tuples(st.just("o"), st.integers(-1, 3), st.sampled_from(["object", "iterator"])).map(list)
    | st.fixed_dictionaries({"value": trees}).map(lambda each: ["l", [each["value"]]])
    | st.builds(
        lambda n: ["t", [["l", [["T", "float64", [n], 0]]], ["d", [], []]]], st.integers(0, 2)
    )
    | st.builds(lambda a: ["d", ["value", "grads"], [["T", "float64", [2], 0], a]], trees)
)
odd = {
    "value": values,
    **dict.fromkeys(("defined", "outputs", "state", "raised", "own", "ended"), junk),
    **dict.fromkeys(("forked", "mutated", "unsendable", "truncated"), st.booleans() | junk),
    "callback": st.integers(-1, 2) | junk,
}
fields = st.lists(
    st.sampled_from(list(odd)).flatmap(lambda name: st.tuples(st.just(name), odd[name])), max_size=2
).map(dict)
frames = st.tuples(
    st.sampled_from(["mine", "mine", "mine", "fork", "old", "wrong", "callback"]),
    fields,
    st.lists(st.sampled_from([b"", bytes(8), bytes(16)]) | st.binary(max_size=9), max_size=2),
)
CALM = [("mine", {}, [])]
moves = st.one_of(
    *[st.just(CALM)] * 3,
    frames.map(lambda each: [each]),
    st.lists(frames, max_size=3),
    st.binary(max_size=9),
)
# What comes first is often harmless, so that what follows meets every step of grading.
scripts = st.builds(
    lambda calm, rest: [CALM] * calm + rest, st.integers(0, 20), st.lists(moves, max_size=20)
)


class Puppet:
    """In the place of a sandbox and of its socket: answers with what was drawn.

    An answer that belongs to the request never holds the right value; late ones and forged ones do.
    """

    alive = True
    device = "cuda"  # so every test may be asked twice

    def __init__(self, script: Iterator[Any]) -> None:
        self.script = script
        self.sock = self
        self.asked, self.answer = bytearray(), bytearray()
        self.nonces = [""]
        self.forks = [""]

    def settimeout(self, seconds: float) -> None: ...

    def close(self) -> None: ...

    def how_it_ended(self) -> str:
        return "crash"

    def recv_into(self, view: memoryview) -> int:
        count = min(len(view), len(self.answer))
        view[:count] = self.answer[:count]
        del self.answer[:count]
        return count

    def sendall(self, data: bytes) -> None:
        self.asked += data
        while len(self.asked) >= 8:
            size, blobs = struct.unpack("!II", self.asked[:8])
            if len(self.asked) < 8 + size + blobs:
                return
            request = json.loads(self.asked[8 : 8 + size])
            del self.asked[: 8 + size + blobs]
            self.reply(request)

    def reply(self, request: dict[str, Any]) -> None:
        if request["op"] != "return":
            self.nonces.append(request["nonce"])
        if request["op"] == "fork":
            self.forks.append(request["nonce"])
        move = next(self.script, b"")
        if isinstance(move, bytes):
            self.answer += move
            return
        for kind, drawn, blobs in move:
            self.answer += frame({**self.honest(kind, request["op"]), **drawn}, blobs)

    def honest(self, kind: str, op: str) -> dict[str, Any]:
        """What an honest sandbox would say, but for values."""
        if kind == "callback":
            return {"callback": 0, "value": ["t", [["l", [1]], ["d", [], []]]]}
        if kind == "fork" or op == "end":
            return {"nonce": self.forks.pop() if len(self.forks) > 1 else "", "ended": 0}
        if kind in ("old", "wrong"):
            nonce = self.nonces[-2] if kind == "old" else "0123456789abcdef"
            return {"nonce": nonce, "value": "right", "forked": True}
        known = {"state": "ok", "outputs": [], "defined": ["double", "Counter"]}
        known |= {"forked": True, "device": self.device}
        return {**known, "nonce": self.nonces[-1], "value": ["o", 0, "object"]}


def frame(header: dict[str, Any], blobs: list[bytes]) -> bytes:
    text = json.dumps({**header, "sizes": [len(each) for each in blobs]}).encode()
    return struct.pack("!II", len(text), sum(map(len, blobs))) + text + b"".join(blobs)


@few_or_many(150, 10_000)
def test_no_frames_give_points_or_break_the_grader(
    assignment: Assignment, monkeypatch: pytest.MonkeyPatch, examples: int
) -> None:
    assignment.suite.write_text(SUITE)
    notebook = answered(assignment)

    def work(suite: Suite) -> None:
        def check(script: list[Any]) -> None:
            moves = iter(script)
            monkeypatch.setattr(submission, "Sandbox", lambda *options: Puppet(moves))
            result = score_with(suite, notebook, b"key")
            assert [each.score for each in result.exercises.values()] == [0, 0]
            assert "suite-error" not in {each.code for each in result.incidents}

        holds(check, examples, script=scripts)

    with_suite(assignment, work)


def test_the_puppet_is_believed_when_it_is_right(
    assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: the same frames with right values give the points."""
    assignment.suite.write_text(SUITE)

    class Right(Puppet):
        def honest(self, kind: str, op: str) -> dict[str, Any]:
            reply = super().honest(kind, op)
            tensor = ["T", "float64", [2], 0]
            seven = ["d", ["value", "grads", "requires_grad"],
                          [tensor, ["l", [tensor]], True]]  # fmt: skip
            return {**reply, "value": {"call": "right", "grad": seven}.get(op)}

    def work(suite: Suite) -> None:
        monkeypatch.setattr(submission, "Sandbox", lambda *options: Right(script()))
        result = score_with(suite, answered(assignment), b"key")
        assert result.exercises["double"].score == 2

    def script() -> Iterator[Any]:
        while True:
            yield [("mine", {}, [struct.pack("dd", 7.0, 7.0)])]

    with_suite(assignment, work)


ODD_REPLIES = {
    "names that are no list": ("names", {"defined": None}),
    "names that are no names": ("names", {"defined": [["double"], {}, 1]}),
    "a gradient that is missing": ("grad", {"value": ["d", ["value"], [["T", "float64", [2], 0]]]}),
    "too many gradients": (
        "grad",
        {"value": ["d", ["value", "grads"], [["T", "float64", [2], 0], ["l", [None, None]]]]},
    ),
    "items that are no list": ("take", {"value": 3}),
    "more items than asked for": ("take", {"value": ["l", [1, 2, 3]]}),
    "a call-back whose value is too large": (
        "call",
        {
            "nonce": "",
            "callback": 0,
            "value": ["t", [["l", [["l", [1] * 400_000]]], ["d", [], []]]],
        },
    ),
}


@pytest.mark.parametrize("name", ODD_REPLIES)
def test_an_odd_reply_costs_the_student(
    assignment: Assignment, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Not a fault of ours, which would be for a person to grade."""
    op, odd = ODD_REPLIES[name]
    assignment.suite.write_text(SUITE)

    class Odd(Puppet):
        def honest(self, kind: str, asked: str) -> dict[str, Any]:
            reply = super().honest(kind, asked)
            if asked == "call" and op == "take":  # its tests go on up to there
                reply["value"] = ["o", 0, "iterator"]
            return {**reply, **(odd if asked == op else {})}

    def work(suite: Suite) -> None:
        calm = itertools.repeat([("mine", {}, [bytes(16)])])
        monkeypatch.setattr(submission, "Sandbox", lambda *options: Odd(calm))
        result = score_with(suite, answered(assignment), b"key")
        assert [each.score for each in result.exercises.values()] == [0, 0]
        assert "suite-error" not in {each.code for each in result.incidents}

    with_suite(assignment, work)


def test_a_header_of_many_parts_is_not_built() -> None:
    puppet = Puppet(iter([]))
    text = b"[" + b"[]," * 4_000_000 + b"[]]"
    puppet.answer += struct.pack("!II", len(text), 0) + text
    with pytest.raises(wire.WireError, match="parts"):
        wire.receive(puppet)


PIECES = [*"=%!?#;,/()'$\t\r\x0c\u2028\u2118 ", *["\n", "x = 1", "x"] * 3, "\\\n", '"""', "    "]
PIECES += "if x:|else:|lambda: x|f'{x!r}'|x: int|//|!=|\r\n|@x\ndef f(): pass\n".split("|")
PIECES += "%time|%%time\n|In [1]: |>>> |...".split("|")


@few_or_many(2000, 100_000)
def test_cells_are_read_as_ipython_reads_them(examples: int) -> None:
    def outcome(manager: type[TransformerManager], cell: str) -> object:
        try:
            return manager().transform_cell(cell)
        except Exception as error:
            return repr(error)

    def check(pieces: list[str]) -> None:
        cell = "".join(pieces)
        assert outcome(CellTransformer, cell) == outcome(TransformerManager, cell)

    holds(check, examples, pieces=st.lists(st.sampled_from(PIECES), max_size=9))

"""`gpu = true`, proved in real sandboxes on a simulated device (simulated_device.py)."""

import contextlib
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import nbformat.v4 as v4
import psutil
import pytest
import torch

from autograder import gpu, incidents, zygote
from autograder.config import Assignment, Limits
from autograder.results import Result
from autograder.scoring import score_notebook
from autograder.student import Student
from autograder.submission import Submission
from autograder.suite import model

SOURCE = Path(__file__).with_name("simulated_device.py").read_text("utf-8")
SIMULATED = f"exec({SOURCE!r}, {{'__name__': 'simulated_device'}})"  # a cell, and no names of it
LIMITS = Limits(cell_cpu_seconds=5, test_cpu_seconds=5, memory_mb=2048)
GPU = replace(LIMITS, gpu=True)


@pytest.fixture(scope="module", autouse=True)
def device():
    """A GPU called "simulated" is in sight of the sandboxes of `GPU`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autograder.zygote.GPU_DEVICES", ("/dev/full",))
        patch.setattr("autograder.sandbox.GPU", "simulated")
        yield
    zygote.zygote((), True).close()
    zygote.forget_zygotes()


def run(*sources: str, limits: Limits = GPU) -> Submission:
    return Submission([(index, "", source) for index, source in enumerate(sources)], limits)


CALLS = """
import torch
from sft2rl.models import TabularLM

def devices(tree):
    if isinstance(tree, torch.Tensor):
        return [tree.device.type]
    parts = tree.values() if isinstance(tree, dict) else tree
    return [each for part in parts for each in devices(part)]

def arguments(x, *, tree): return devices([x, tree]), x + tree["a"][0]
def weights(lm): return devices(list(lm.parameters()) + list(lm.buffers()))
def asks(step, x): return devices(step(x=x)), step(x=x)["y"] + x
def cube(x):
    y = x**3
    y.register_hook(lambda cotangent: seen.append(cotangent.device.type))
    return y
seen = []
def seen_so_far(): return seen
class Store:
    def __init__(self, x): self.x = x
    def add(self, y): return devices([self.x, y]), self.x + y
def inner(x): return None
def outer(x):
    y = inner(x)
    seen.append(y.device.type)
    return (y * x).sum()
"""


def everything_handed_over(student: Student, device: str) -> None:
    """Call back and forth; every tensor lies on the device, every answer is right and here."""
    x = torch.tensor([1.0, 2.0])
    tree = {"a": (x, torch.ones(0)), "b": [torch.tensor([True]), {"c": torch.tensor(7)}]}
    got, total = student.arguments(x, tree=tree)
    assert got == [device] * 5 and total.tolist() == [2, 4] and total.device.type == "cpu"
    table = torch.ones(7, 2, dtype=torch.float64)
    tabular = model("sft2rl.models.TabularLM", {"vocab_size": 2, "context": 2}, {"table": table})
    assert student.weights(tabular) == [device]
    got, total = student.asks(lambda x: {"y": 10 * x}, x)
    assert got == [device] and total.tolist() == [11, 22]
    cubed = student.grad("cube", x, wrt=(0,), cotangent=torch.tensor([1.0, -1.0]))
    assert cubed.value.tolist() == [1, 8] and cubed.grads[0].tolist() == [3, -12]
    assert student.seen_so_far() == [device]
    assert student.new("Store", x).add(x)[0] == [device] * 2
    student.bind({"inner": lambda x: 3 * x})
    assert student.grad("outer", x, wrt=(0,)).grads[0].tolist() == [6, 12]
    assert student.seen_so_far() == [device] * 2


def test_what_is_handed_over_lies_on_the_device():
    with run(SIMULATED, CALLS) as submission:
        for asked, device in ((None, "simulated"), ("cpu", "cpu")):
            with submission.fork(5, asked) as where:
                assert where == device
                everything_handed_over(Student(submission, 5), device)


def test_a_model_of_transformers_lies_on_the_device_with_its_buffers():
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2}
    config = {"vocab_size": 5, "num_hidden_layers": 1, **sizes}
    with run(SIMULATED, CALLS) as submission, submission.fork(5):
        got = Student(submission, 5).weights(model("transformers.LlamaForCausalLM", config, {}))
        assert set(got) == {"simulated"} and len(got) > 10


def test_a_notebook_that_used_the_device_is_executed_for_every_test():
    used = "torch.ones(2, device='simulated', requires_grad=True).sum().backward()"
    with run(SIMULATED, CALLS, used) as submission:
        for _ in range(2):
            with submission.fork(5) as where:
                student, x = Student(submission, 5), torch.ones(2)
                assert where == "simulated" and not submission.channel.forks
                assert student.grad("cube", x, wrt=(0,), cotangent=x).grads[0].tolist() == [3, 3]
                assert student.seen_so_far() == ["simulated"]


@pytest.mark.parametrize("gpu", [False, True])
def test_without_a_usable_gpu_nothing_changes(monkeypatch, gpu):
    monkeypatch.setattr("autograder.sandbox.GPU", "cuda")  # which this machine's torch has not
    nvml = "import os; print('PYTORCH_NVML_BASED_CUDA_CHECK' in os.environ)"
    with run(CALLS, nvml, limits=replace(LIMITS, gpu=gpu)) as submission:
        assert submission.outputs[1][0]["text"] == f"{gpu}\n"
        with submission.fork(5) as where:
            assert where == "cpu"
            everything_handed_over(Student(submission, 5), "cpu")


SUITE = '''
"""Two exercises."""
import torch
from autograder.suite import Draw, Student, exercise, expect

@exercise("ranks")
def test_a_row(student: Student, draw: Draw):
    """A row."""
    x = draw.normal(5)
    expect(student.ranks(x)).close(x * torch.arange(5), "Times the position.",
        mistakes={"Count from zero.": x * torch.arange(1, 6)})

@exercise("ranks")
def test_a_short_row(student: Student, draw: Draw):
    """A short row."""
    x = draw.normal(2)
    expect(student.ranks(x)).close(x * torch.arange(2), "Times the position.")

@exercise("place")
def test_the_place(student: Student, draw: Draw):
    """Where the argument lies."""
    if student.place(draw.normal(3)) != "cpu":
        raise OSError("a suite that cannot do with this answer")
'''
RANKS = """
seen = []
def ranks(x):
    seen.append(x)
    assert len(seen) == 1, "every call is the first of its process"
    return """
RIGHT = "x * torch.arange(len(x), device=x.device)"
MIXED = "x * torch.arange(len(x))"
WRONG = "x * torch.arange(1, len(x) + 1)"


def score(root: Path, answer: str, limits: Limits = GPU) -> Result:
    """Score a notebook that has the device and answers both exercises."""
    suite = root / "autograder/suites/test_00_ranks.py"
    suite.parent.mkdir(parents=True, exist_ok=True)
    suite.write_text(SUITE)
    day = datetime(2026, 9, 7, tzinfo=UTC)
    assignment = Assignment(root, "00_ranks", "ranks", "Ranks", "0", day, day, 5, limits)
    answers = {"ranks": RANKS + answer, "place": "def place(x): return x.device.type"}
    found = [v4.new_code_cell(SOURCE)]
    for name, code in answers.items():
        found.append(v4.new_code_cell(code, metadata=_nbgrader(name, solution=True, grade=False)))
        test = _nbgrader(f"test_{name}", solution=False, grade=True, points=2)
        found.append(v4.new_code_cell("pass", metadata=test))
    return score_notebook(v4.new_notebook(cells=found), assignment, b"key")


def _nbgrader(grade_id: str, **more: object) -> dict[str, object]:
    return {"nbgrader": {"schema_version": 3, "grade_id": grade_id, "task": False, **more}}


def test_a_score_does_not_depend_on_the_gpu(tmp_path):
    for answer, points in ((RIGHT, 2), (MIXED, 2), (WRONG, 0)):
        with_gpu, without = score(tmp_path, answer), score(tmp_path, answer, LIMITS)
        assert with_gpu.exercises == without.exercises
        assert (
            with_gpu.exercises["ranks"].score == points and with_gpu.exercises["place"].score == 2
        )
        assert without.incidents == []
        told = [each.exercise for each in with_gpu.incidents if each.code == "cpu-only"]
        assert told == (["ranks", "place"] if answer == MIXED else ["place"])
        assert len(with_gpu.incidents) == len(told)
        assert incidents.notes(with_gpu) == [] and len(incidents.notes(with_gpu, staff=True)) > 0
        messages = [test.message for test in with_gpu.exercises["ranks"].tests]
        assert any("Count from zero" in each for each in messages) == (answer == WRONG)


def test_on_a_gpu_tests_share_no_fork(tmp_path, monkeypatch):
    monkeypatch.setattr("autograder.grading.state_kept", lambda *_: "")
    assert score(tmp_path, RIGHT).exercises["ranks"].score == 2


def memory_used() -> Counter[int]:
    """What a driver of the simulated device says, whose tensors lie in their process's memory."""
    used: Counter[int] = Counter()
    for each in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            used[each.pid] = each.memory_full_info().uss
    return used


def test_the_driver_is_asked_for_every_gpu(monkeypatch):
    def processes(number: int) -> list[SimpleNamespace]:
        held = {0: {7: 10, 8: None}, 1: {7: 20}}[number]
        return [SimpleNamespace(pid=pid, usedGpuMemory=size) for pid, size in held.items()]

    assert gpu.memory_used() == {}  # there is no driver here
    monkeypatch.setattr("pynvml.nvmlInit", lambda: None)
    monkeypatch.setattr("pynvml.nvmlDeviceGetCount", lambda: 2)
    monkeypatch.setattr("pynvml.nvmlDeviceGetHandleByIndex", lambda number: number)
    monkeypatch.setattr("pynvml.nvmlDeviceGetComputeRunningProcesses", processes)
    assert gpu.memory_used() == {7: 30, 8: 0}


TAKES_ALL = """
import torch
def take():
    taken = []
    while True:
        try:
            taken.append(torch.ones(2**20, device="simulated"))
        except (MemoryError, RuntimeError):
            pass
"""
IN_A_CHILD = """
import os
if os.fork() == 0 and os.fork() == 0:
    os.setsid()
    take()
import time
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (f"{RIGHT}\n{TAKES_ALL}\ntake()", "cell-gpu-memory"),
        (f"{RIGHT}\n{TAKES_ALL}\n{IN_A_CHILD}", "cell-gpu-memory"),
        (f"{RIGHT} + take()\n{TAKES_ALL}", "test-gpu-memory"),
    ],
    ids=["in a cell", "in a detached child", "in a test"],
)
def test_who_takes_all_memory_of_the_gpu_is_ended(tmp_path, monkeypatch, answer, code):
    monkeypatch.setattr("autograder.gpu.memory_used", memory_used)
    limits = replace(GPU, gpu_memory_mb=512)
    honest = score(tmp_path, RIGHT, limits)
    before = psutil.Process().children(recursive=True)  # the warm process
    attack = score(tmp_path, answer, limits)
    left = set(psutil.Process().children(recursive=True)).difference(before)
    assert not psutil.wait_procs(left, timeout=10)[1]  # a guard takes a moment to go
    assert (attack.exercises["ranks"].score, attack.exercises["place"].score) == (0, 2)
    assert [each.exercise for each in attack.incidents if each.code == code] == ["ranks"]
    assert score(tmp_path, RIGHT, limits) == honest
    assert honest.exercises["ranks"].score == 2

"""What student code can and cannot do in the sandbox, tried for real."""

import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial

import psutil
import pytest
import torch

from autograder import channel
from autograder.config import Limits
from autograder.sandbox import Sandbox, SandboxUnavailable
from autograder.student import CheckFailed, Student
from autograder.submission import Submission
from autograder.worker import wire
from autograder.zygote import forget_zygotes, zygote

LIMITS = Limits(cell_cpu_seconds=2, test_cpu_seconds=2, memory_mb=1024, processes=32, output_kb=64)


def run(*sources: str, limits: Limits = LIMITS) -> Submission:
    """An executed submission with these cells; close it with `with`."""
    return Submission([(index, "", source) for index, source in enumerate(sources)], limits)


def shown(submission: Submission, index: int = 0) -> str:
    """What a cell printed, displayed or raised."""
    parts = []
    for output in submission.outputs[index]:
        data = output.get("data", {})
        parts += [output.get("text", ""), data.get("text/plain", ""), output.get("ename", "")]
        parts.append(output.get("evalue", ""))
    return "".join(parts)


def codes(submission: Submission) -> list[str]:
    return [incident.code for incident in submission.incidents]


def call(submission: Submission, name: str, *args):
    with submission.fork(2):
        return Student(submission, 2).call(name, args, {})


def failure(submission: Submission, name: str, *args) -> str:
    with pytest.raises(CheckFailed) as caught:
        call(submission, name, *args)
    return str(caught.value)


def test_a_cell_runs_in_a_bare_world(monkeypatch, tmp_path):
    monkeypatch.setenv("CANARY_ENV", "canary-in-the-environment")
    (tmp_path / "secret").write_text("canary-in-a-file")
    probe = f"""
import ctypes, os, pathlib, socket
def attempt(action):
    try:
        return action()
    except Exception as error:
        return type(error).__name__
libc = ctypes.CDLL(None, use_errno=True)
print(dict(
    uid_is_root=os.getuid() == 0,
    environ="CANARY_ENV" in os.environ,
    parent=attempt(lambda: pathlib.Path("/proc/1/environ").read_bytes()),
    file=attempt(lambda: pathlib.Path({str(tmp_path / "secret")!r}).read_text()),
    project=attempt(lambda: os.listdir({str(tmp_path.parent)!r})),
    passwords=attempt(lambda: open("/etc/shadow").read()),
    autograder=attempt(lambda: __import__("autograder")),
    internet=attempt(lambda: socket.socket(socket.AF_INET)),
    write=attempt(lambda: open("/opt/env/x", "w")),
    unshare=libc.unshare(0x10000000), ptrace=libc.ptrace(16, 1, 0, 0),
    mount=libc.mount(b"x", b"/tmp", b"tmpfs", 0, 0),
    processes=sorted(name for name in os.listdir("/proc") if name.isdigit()),
    seccomp=[line for line in open("/proc/self/status")
             if line.startswith(("CapEff", "NoNewPrivs", "Seccomp:"))],
))
"""
    with run(probe) as submission:
        got = eval(shown(submission))
    assert got["uid_is_root"] is False and got["environ"] is False
    assert got["parent"] == "PermissionError" or b"CANARY" not in got["parent"]
    assert got["file"] == "FileNotFoundError" and got["passwords"] == "FileNotFoundError"
    assert got["project"] == "FileNotFoundError"
    assert got["autograder"] == "ModuleNotFoundError"
    assert got["internet"] == "OSError" and got["write"] in ("OSError", "PermissionError")
    assert got["unshare"] == got["ptrace"] == got["mount"] == -1
    assert got["processes"] == ["1", "2"]
    assert [line.split()[1] for line in got["seccomp"]] == ["0000000000000000", "1", "2"]


@pytest.mark.parametrize("loopback", [False, True])
def test_a_private_loopback_is_there_only_when_the_assignment_asks(loopback):
    probe = """
import socket
def attempt(action):
    try:
        return action()
    except OSError as error:
        return error.strerror
def echo():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname(), 5) as client:
            with server.accept()[0] as end:
                client.sendall(b"hello")
                return end.recv(5).decode()
print(dict(
    loopback=attempt(echo),
    interfaces=attempt(lambda: socket.if_nameindex()),
    outside=attempt(lambda: socket.create_connection(("192.0.2.1", 80), 2)),
    raw=attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
    audit=attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)),
))
"""
    with run(probe, limits=replace(LIMITS, loopback=loopback)) as submission:
        got = eval(shown(submission))
    denied = "Address family not supported by protocol"
    assert got["loopback"] == ("hello" if loopback else denied)
    assert got["interfaces"] == ([(1, "lo")] if loopback else denied)
    assert got["outside"] == ("Network is unreachable" if loopback else denied)
    assert got["raw"] == got["audit"] == denied


@pytest.mark.parametrize("gpu", [False, True])
def test_a_gpu_is_there_only_when_the_assignment_asks(monkeypatch, gpu):
    monkeypatch.setattr("autograder.zygote.GPU_DEVICES", ("/etc/passw?",))  # not there otherwise
    with run(
        "import os\nprint(os.path.exists('/etc/passwd'))", limits=replace(LIMITS, gpu=gpu)
    ) as it:
        assert shown(it) == f"{gpu}\n"
    if gpu:
        zygote((), True).close()
        forget_zygotes()


def test_two_gloo_processes_meet_on_the_loopback():
    source = """
import torch
from sft2rl.parallel import gloo_all_reduce, run
def mean(rank):
    return gloo_all_reduce([torch.tensor([7.0, 1.0])[rank]], [7 - 6 * rank]).item()
def together(): return run(2, mean)
"""
    with run(source, limits=replace(LIMITS, loopback=True)) as submission:
        assert call(submission, "together") == [6.25, 6.25]


OPTIMISE = """
import sys, torch
weight = torch.nn.Parameter(torch.ones(2))
optimiser = torch.optim.Adam([weight], lr=0.1)
optimiser.zero_grad()
weight.sum().backward()
optimiser.step()
@torch.compiler.disable(recursive=False)
@torch.compiler.disable
def step(): return weight.detach()
def loaded(): return [name for name in sys.modules if name.startswith("torch._dynamo.")]
def compiled(x):
    from torch._dynamo import reset
    import torch._dynamo.config
    assert reset.__module__ == "torch._dynamo" and torch._dynamo is sys.modules["torch._dynamo"]
    return torch.compile(lambda x: x + 1, backend="eager")(x)
def broken(): raise ValueError
"""


def test_the_compiler_is_loaded_for_those_who_compile_only():
    with run(OPTIMISE, "broken()") as submission:  # its traceback looks at all modules
        assert torch.allclose(call(submission, "step"), torch.full((2,), 0.9))
        assert call(submission, "loaded") == []
        with submission.fork(20):
            got = Student(submission, 20).call("compiled", (torch.ones(2),), {})
        assert torch.equal(got, torch.full((2,), 2.0))


def test_outputs_are_kept_in_order_and_capped():
    source = "print('a'); display(1); import sys; print('b', file=sys.stderr); 7"
    with run(source, "print('x' * 10**8)", "1/0") as submission:
        kinds = [output["output_type"] for output in submission.outputs[0]]
        assert kinds == ["stream", "display_data", "stream", "execute_result"]
        assert len(shown(submission, 1)) < 70_000 and "truncated" in shown(submission, 1)
        assert codes(submission) == ["output-truncated"]
        assert submission.outputs[2][0]["ename"] == "ZeroDivisionError"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("while True: pass", "cell-timeout"),
        ("sum(range(10**12))", "cell-timeout"),
        ("import os; os._exit(0)", "cell-crash"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "cell-crash"),
        ("import os; os.write(3, b'x' * 100)", "cell-protocol"),
        ("import ctypes; ctypes.string_at(0)", "cell-crash"),
    ],
)
def test_a_bad_cell_costs_only_itself(source, code):
    with run("x = 1", source, "def f(): return x + 1") as submission:
        assert codes(submission) == [code]
        assert call(submission, "f") == 2


def test_a_huge_allocation_is_an_error_in_its_cell():
    with run("b = bytearray(50 * 2**30)", "ok = lambda: 1") as submission:
        assert "MemoryError" in shown(submission) and call(submission, "ok") == 1


@pytest.mark.parametrize("kernel_knows", [True, False])
def test_many_processes_together_cannot_hold_much_memory(kernel_knows, monkeypatch):
    monkeypatch.setattr("autograder.sandbox.KERNEL_KNOWS_CHILDREN", kernel_knows)
    bomb = """
import os, time
for i in range(16):
    if os.fork() == 0:
        block = b"x" * (600 * 2**20)
        time.sleep(100)
time.sleep(100)
"""
    started = time.monotonic()
    with run(bomb, "ok = lambda: 1") as submission:
        assert codes(submission) == ["cell-memory"]
        assert call(submission, "ok") == 1
    assert time.monotonic() - started < 60


def test_few_warm_processes_are_kept() -> None:
    newest = [zygote((f"import {name}",), False) for name in ("wave", "colorsys", "calendar")]
    assert [each._process.poll() is None for each in newest] == [False, True, True]
    assert zygote(("import colorsys",), False) is newest[1]
    forget_zygotes()
    for each in newest:
        each.close()


def test_a_fork_bomb_ends_with_its_sandbox():
    bomb = "import os\nwhile True:\n    os.fork()"
    with run(bomb, "ok = lambda: 1") as submission:
        assert descendants() < 80
        assert call(submission, "ok") == 1
    time.sleep(1)
    assert descendants() < 10


def descendants() -> int:
    """How many processes this one has started, warm ones included."""
    return len(psutil.Process().children(recursive=True))


def test_tests_cannot_learn_from_each_other():
    with run("seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)") as submission:
        assert [call(submission, "f", each) for each in (1, 2)] == [1, 1]


def test_with_a_second_thread_each_test_gets_a_new_execution():
    source = """
import threading, time
threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
seen = []
def f(x):
    seen.append(x)
    return len(seen)
"""
    with run(source) as submission:
        assert [call(submission, "f", each) for each in (1, 2)] == [1, 1]


CALLS = """
import os, signal, sys, torch
def endless():
    while True: pass
def exits(): os._exit(0)
def leaves(): sys.exit(0)
def crashes():
    import ctypes; ctypes.string_at(0)
def exotic():
    class Own(BaseException):
        def __str__(self): return "CANARY"
    raise Own("CANARY")
def nothing(): return chr(0xD800)
def endless_list():
    l = []; l.append(l); return l
def huge(): return torch.zeros(10**8)
def changes(x): x += 1; return x
def talks(): os.write(3, b"\\0" * 64); return 1
def stops(): os.kill(os.getpid(), signal.SIGSTOP)
def forks():
    for _ in range(3): os.fork()
    return os.getpid()
def good(x): return x
"""


def test_a_bad_call_costs_only_its_test():
    with run(CALLS) as submission:
        assert "CPU time" in failure(submission, "endless")
        assert "ended the process" in failure(submission, "exits")
        assert "SystemExit" in failure(submission, "leaves")
        assert "SIGSEGV" in failure(submission, "crashes")
        assert "an exception of your own" in failure(submission, "exotic")
        assert "not plain data" in failure(submission, "nothing")
        assert "not plain data" in failure(submission, "endless_list")
        assert "not plain data" in failure(submission, "huge")
        assert "in place" in failure(submission, "changes", torch.ones(2))
        assert "`" not in failure(submission, "absent")
        assert isinstance(call(submission, "forks"), int)
        assert call(submission, "good", 5) == 5


def end_fork(submission: Submission, number: int) -> None:
    """Send a signal to the process of the test that runs."""
    first = psutil.Process(submission.channel.sandbox.pid)
    first.children(recursive=True)[-1].send_signal(number)


@pytest.mark.parametrize(
    ("number", "said"), [(signal.SIGXCPU, "CPU time"), (signal.SIGKILL, "killed")]
)
def test_a_fork_that_ends_between_two_frames_costs_only_its_test(number, said):
    source = "def asks(step): step()\ndef good(): return 1"
    with run(source) as submission:
        sandbox, end = submission.channel.sandbox, partial(end_fork, submission, number)
        assert said in failure(submission, "asks", end)
        with submission.fork(2):
            student = Student(submission, 2)
            assert student.good() == 1
            end()
            with pytest.raises(CheckFailed, match=said):
                student.good()
        with submission.fork(2):
            end()
        assert call(submission, "good") == 1
        assert submission.channel.sandbox is sandbox, "the notebook was executed anew"


def test_the_cpu_limit_cuts_no_frame(monkeypatch):
    source = """
import torch
def large(): return torch.ones(10**6)
def too_large(step):
    while True:
        try: step("x" * 2**25)
        except Exception: pass
"""
    receive = wire.receive

    def limited(sock, *rest):
        """Receive a frame of which a part has been sent when the limit is reached."""
        select.select([sock], [], [])
        end_fork(submission, signal.SIGXCPU)
        return receive(sock, *rest)

    with run(source) as submission:
        assert "CPU time" in failure(submission, "too_large", print)
        with submission.fork(2):
            monkeypatch.setattr(wire, "receive", limited)
            assert Student(submission, 2).large().sum() == 10**6
            monkeypatch.undo()


def test_a_variant_that_breaks_the_channel_costs_only_itself():
    cells = [(0, "f", "def f(): return 1"), (1, "g", "def g(): return 2")]
    breaks = "import os\ndef f(): os.write(3, b'x' * 100)"
    with Submission(cells, LIMITS) as base:
        before = descendants()
        for source in (breaks, "def f(): return 7"):
            with base.variant([(0, "f", source), cells[1]], ("f", source)) as variant:
                if source == breaks:
                    with pytest.raises(channel.ChannelBroken, match="protocol"):
                        call(variant, "f")
                else:
                    assert call(variant, "f") == 7
                assert call(variant, "g") == 2
        assert call(base, "f") == 1
        end = time.monotonic() + 10
        while descendants() > before and time.monotonic() < end:  # a guard takes a moment to go
            time.sleep(0.1)
        assert descendants() == before


@pytest.fixture
def crowded_core():
    """A core with six processes that never rest, each in a session of its own."""
    core = {min(os.sched_getaffinity(0))}
    spin = "import os; os.setsid(); os.sched_setaffinity(0, {core}); exec('while True: pass')"
    code = spin.replace("{core}", str(core))
    busy = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(6)]
    yield core
    for each in busy:
        each.kill()
        each.wait()


def test_waiting_for_a_core_is_not_sleeping(crowded_core, monkeypatch):
    work = """
import time
def works():
    begun = time.process_time()
    while time.process_time() < begun + 0.8: pass
    return True
def sleeps(): time.sleep(1000)
"""
    with run(work) as submission:
        for name, value in {"WALL_FACTOR": 0, "WALL_EXTRA": 1, "MAX_STRETCH": 100}.items():
            monkeypatch.setattr(channel, name, value)
        monkeypatch.setattr(channel, "PROBE_SECONDS", 2)
        sandbox = psutil.Process(submission.channel.sandbox.pid)
        for process in [sandbox, *sandbox.children(recursive=True)]:
            os.sched_setaffinity(process.pid, crowded_core)
        begun = time.monotonic()
        assert call(submission, "works") is True
        assert time.monotonic() > begun + 1.5, "the core was not crowded"
        with pytest.raises(channel.ChannelBroken, match="no-answer"):
            call(submission, "sleeps")


def test_no_text_of_the_students_reaches_a_message():
    source = """
def f(x): raise ValueError(repr(x))
class CANARY(Exception): pass
def g(): raise CANARY()
"""
    with run(source) as submission:
        assert "CANARY_INPUT" not in failure(submission, "f", "CANARY_INPUT")
        assert "CANARY" not in failure(submission, "g")


def test_call_backs_gradients_objects_and_iterators():
    source = """
import torch
from itertools import count
def twice(step, x): return step(step(x))
def loss(logps, beta): return -(beta * logps).sum()
def detached(logps): return -logps.detach().sum()
def naturals(): return count()
class Counter:
    def __init__(self): self.n = 0
    def add(self, k): self.n += k; return self
    def __call__(self): return self.n
def maker(k): return lambda x: x + k
"""
    with run(source) as submission, submission.fork(2):
        student = Student(submission, 2)
        assert student.twice(lambda x: 10 * x, 3) == 300
        got = student.grad("loss", torch.ones(2), 3.0, wrt=(0,))
        assert got.value.item() == -6 and got.grads[0].tolist() == [-3, -3]
        assert student.grad("detached", torch.ones(2), wrt=(0,)).requires_grad is False
        assert student.naturals().take(3) == [0, 1, 2]
        counter = student.new("Counter")
        counter.add(4).add(5)
        assert counter() == 9 and counter.get("n") == 9
        assert student.maker(2)(40) == 42
        assert student.raised("twice", 1, 2) == "TypeError"


def test_a_call_back_that_raises_raises_in_the_sandbox_too():
    source = """
def careful(step):
    try:
        return step(-1)
    except ValueError:
        return "caught"
"""

    def step(x):
        raise ValueError("a secret of the grader's")

    with run(source) as submission:
        assert call(submission, "careful", step) == "caught"


def test_without_bubblewrap_there_is_one_sentence(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    forget_zygotes()
    with pytest.raises(SandboxUnavailable, match="apt-get install bubblewrap"):
        Sandbox(LIMITS)


def test_a_dead_warm_process_is_replaced():
    zygote((), False).close()
    with run("ok = lambda: 1") as submission:
        assert call(submission, "ok") == 1


def test_sandboxes_share_no_folder_terminal_or_process():
    leave = """
import os, pathlib
for folder in ("/tmp", "/dev/shm", "/home/student", "/dev", "/", "/run", "/etc"):
    try:
        pathlib.Path(folder, "left").write_text("x")
    except OSError:
        pass
terminal = os.open("/dev/ptmx", os.O_RDWR)
"""
    look = """
import os, pathlib
folders = ("/tmp", "/dev/shm", "/home/student", "/dev", "/", "/run", "/etc")
found = [f for f in folders if pathlib.Path(f, "left").exists()]
print([found, os.listdir("/dev/pts"), sorted(p for p in os.listdir("/proc") if p.isdigit())])
"""
    with run(leave), run(look) as submission:
        assert eval(shown(submission)) == [[], ["ptmx"], ["1", "2"]]


def test_no_process_outlives_its_sandbox():
    source = "import subprocess, sys\nsubprocess.Popen(['sleep', '600'], start_new_session=True)"
    with run(source):
        pass
    time.sleep(0.5)
    assert not [
        p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "600"]
    ]


def test_gradients_pass_through_a_bound_call_back():
    source = """
def inner(x, scale): return None
def outer(x): return inner(x, 3.0).sum()
"""
    with run(source) as submission, submission.fork(2):
        student = Student(submission, 2)
        student.bind({"inner": lambda x, scale: scale * x**2})
        got = student.grad("outer", torch.tensor([1.0, 2.0]), wrt=(0,))
        assert got.value.item() == 15 and got.grads[0].tolist() == [6, 12]

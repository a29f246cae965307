"""Data parallelism with real processes: a small model, its loss, and gloo processes to run it in.

`run` forks the notebook (Linux only: a forked copy knows every function that was just defined).
`python -m torch.distributed.run -m sft2rl.parallel ...` starts fresh interpreters instead, on
every platform; what the notebook defines reaches them as source text.
"""

from __future__ import annotations

import io
import os
import pickle
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from datetime import timedelta
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

FORKS = sys.platform == "linux"
SECONDS = 20  # a collective that takes longer has lost a partner

Shard = dict[str, torch.Tensor]


class TinyLM(torch.nn.Module):
    """A language model that sees one token, with experts that are chosen by the token's id.

    Token i goes to expert i % n_experts. An expert whose tokens do not occur in a batch is not
    called, and its parameters then have no gradient at all (None, not zero).

    Args:
        vocab_size: number of tokens.
        d_model: width.
        n_experts: number of experts.
        dropout: probability of a dropped entry; only in training mode.
    """

    def __init__(
        self, vocab_size: int, d_model: int, n_experts: int = 2, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(vocab_size, d_model)
        self.experts = torch.nn.ModuleList(
            torch.nn.Linear(d_model, d_model) for _ in range(n_experts)
        )
        self.drop = torch.nn.Dropout(dropout)
        self.head = torch.nn.Linear(d_model, vocab_size)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Logits [B, T, V] of the token after each position of `input_ids` [B, T]."""
        x = self.embed(input_ids)
        y = torch.zeros_like(x)
        for index, expert in enumerate(self.experts):
            chosen = input_ids % len(self.experts) == index
            if bool(chosen.any()):
                y[chosen] = expert(x[chosen])
        return self.head(self.drop(torch.tanh(x + y)))

    @classmethod
    def from_state(cls, state: dict[str, torch.Tensor], dropout: float = 0.0) -> TinyLM:
        """The model with these weights (their shapes, dtype and device), in evaluation mode."""
        vocab_size, d_model = state["embed.weight"].shape
        n_experts = sum(name.startswith("experts.") for name in state) // 2
        model = cls(vocab_size, d_model, n_experts, dropout).to(state["embed.weight"])
        model.load_state_dict(state)
        return model.eval()


def collate(texts: Sequence[str]) -> Shard:
    """ASCII texts as one padded batch, padded to the longest of *these* texts.

    Returns:
        {"input_ids": [B, T], "labels": [B, T]}; labels are unshifted, -100 on padding.
    """
    length = max(map(len, texts))
    ids = torch.zeros(len(texts), length, dtype=torch.long)
    labels = torch.full_like(ids, -100)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = labels[row, : len(text)] = torch.tensor(list(text.encode()))
    return {"input_ids": ids, "labels": labels}


def loss_sum(model: torch.nn.Module, shard: Shard) -> tuple[torch.Tensor, int]:
    """Cross-entropy of the next token, summed over the shard's target tokens.

    Returns:
        (total, count): the sum in nats, 0-d with graph, and the number of targets: labels
        after the first position that are not -100. Both are 0 for a shard without targets.
    """
    logits = model(shard["input_ids"])[:, :-1].flatten(0, 1)
    targets = shard["labels"][:, 1:].flatten()
    total = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
    return total, int((targets != -100).sum())


# --- processes ----------------------------------------------------------------------------


def gloo_all_reduce(
    tensors: Sequence[torch.Tensor], weights: Sequence[float] | None = None
) -> torch.Tensor:
    """The weighted mean over all processes; every process calls it at the same time.

    Gloo adds. So each process sends its weighted tensor and, in the same message, its weight.

    Args:
        tensors: a list of one tensor, that of this process; same shape everywhere.
        weights: a list of one number, its weight; None counts every process once.

    Returns:
        The mean, of the tensor's shape and dtype, equal in all processes.
    """
    [tensor] = tensors
    [weight] = [1.0] if weights is None else weights
    message = torch.cat([weight * tensor.detach().flatten(), tensor.new_tensor([float(weight)])])
    dist.all_reduce(message, op=dist.ReduceOp.SUM)
    return (message[:-1] / message[-1]).reshape(tensor.shape)


def run(world_size: int, fn: Callable[..., Any], *args: Any) -> list[Any]:
    """Call `fn(rank, *args)` in `world_size` forked processes that share a gloo group.

    Args:
        world_size: number of processes.
        fn: any function, also one of a notebook; it may use `torch.distributed`.
        args: what it gets after its rank.

    Returns:
        What `fn` returned, by rank. What it printed is printed here.

    Raises:
        RuntimeError: not on Linux; or a process failed (the first one is reported).
    """
    if not FORKS:
        raise RuntimeError(
            "Processes are forked on Linux only. The torchrun cell works everywhere."
        )
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder, "store")
        ranks = {}
        try:
            for rank in range(world_size):
                pid, end = _start(rank, world_size, store, fn, args)
                ranks[end] = (rank, pid)
            return _collect(ranks)
        finally:
            for end, (_, pid) in ranks.items():
                end.close()
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _collect(ranks: dict[Connection, tuple[int, int]]) -> list[Any]:
    results: dict[int, Any] = {}
    while len(results) < len(ranks):
        waiting = [end for end, (rank, _) in ranks.items() if rank not in results]
        ready = wait(waiting, 2 * SECONDS)
        if not ready:
            raise RuntimeError("No answer. Does every rank call the same collectives?")
        for end in ready:
            rank = ranks[end][0]  # type: ignore[index]
            try:
                fine, value, said = pickle.loads(end.recv_bytes())  # type: ignore[union-attr]
            except EOFError:
                fine, value, said = False, "the process ended", ""
            for line in said.splitlines():
                print(f"[rank {rank}] {line}")
            if not fine:
                raise RuntimeError(f"rank {rank}: {value}")
            results[rank] = value
    return [results[rank] for rank in range(len(ranks))]


def _start(
    rank: int, world_size: int, store: Path, fn: Callable[..., Any], args: tuple
) -> tuple[int, Connection]:
    ours, theirs = Pipe(duplex=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Jupyter has threads; none is needed
        pid = os.fork()
    if pid == 0:
        try:
            _work(rank, world_size, store, fn, args, theirs)
        finally:
            os._exit(0)
    theirs.close()
    return pid, ours


def _work(
    rank: int, world_size: int, store: Path, fn: Callable[..., Any], args: tuple, end: Connection
) -> None:
    """In the forked process: join the group, call `fn`, send what came of it."""
    _let_go_of_files(end.fileno())
    torch.set_num_threads(1)  # the threads of the pool did not survive the fork
    said = io.StringIO()
    fine, value = True, None
    with redirect_stdout(said), redirect_stderr(said):
        try:
            os.environ["GLOO_SOCKET_IFNAME"] = "lo"
            dist.init_process_group(
                "gloo",
                init_method=f"file://{store}",
                rank=rank,
                world_size=world_size,
                timeout=timedelta(seconds=SECONDS),
            )
            dist.barrier()  # if one left while another still joins, that one would fail
            value = fn(rank, *args)
        except BaseException as error:
            fine, value = False, f"{type(error).__name__}: {error}"
    end.send_bytes(pickle.dumps((fine, value, said.getvalue())))


def _let_go_of_files(keep: int) -> None:
    """Point every inherited descriptor but the standard ones and `keep` at /dev/null.

    Two processes must not talk on one socket, such as that of the notebook's kernel. The numbers
    stay taken, so that no new file gets one that an old object still writes to.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd > 2 and fd not in (keep, null):
            with suppress(OSError):  # the descriptor of the listing itself
                os.fstat(fd)
                os.dup2(null, fd)

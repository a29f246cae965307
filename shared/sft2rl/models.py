"""The small language models of the course: loading, saving, and one made of a table."""

from __future__ import annotations

import copy
import ctypes
import getpass
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizer
from transformers.utils import logging

from sft2rl.textdata import DATA

REFERENCE = DATA / "llama"


def keep_memory() -> None:
    """Let the C library keep freed memory for the next step instead of handing it back.

    A training step frees and takes hundreds of megabytes; getting them from the system again each
    time costs up to a third of the step. Does nothing where the C library is not glibc.
    """
    M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def load_model(name: str | Path = REFERENCE) -> PreTrainedModel:
    """A causal language model in float32 and evaluation mode.

    Args:
        name: a folder, or any name that `from_pretrained` knows; by default the reference
            policy that ships with the course.
    """
    logging.disable_progress_bar()  # it would only say that a small file was read
    return AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32).eval()


def load_tokenizer(name: str | Path = REFERENCE) -> PreTrainedTokenizer:
    """The tokenizer that belongs to a model."""
    return AutoTokenizer.from_pretrained(name)


def copy_of(model: torch.nn.Module) -> torch.nn.Module:
    """A copy that can be trained while the original stays as it is."""
    return copy.deepcopy(model).train(model.training).requires_grad_(True)


def frozen(model: torch.nn.Module) -> torch.nn.Module:
    """The same model, with gradients switched off."""
    return model.eval().requires_grad_(False)


def save_policy(model: torch.nn.Module, path: str | Path, **facts: str) -> Path:
    """Write the weights of a policy in float16; a tied output layer is written once.

    Args:
        model: the policy.
        path: a file ending in .safetensors.
        facts: short texts kept in the file's header, such as the method.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.half() for name, tensor in untied_state(model).items()}
    save_file(tensors, path, metadata={"format": "pt", **{k: str(v) for k, v in facts.items()}})
    path.chmod(0o644)  # whoever collects the file must be able to read it
    return path


def load_policy(path: str | Path, reference: torch.nn.Module) -> torch.nn.Module:
    """A policy from a file that `save_policy` wrote, with the architecture of the reference."""
    model = copy_of(reference)
    state = {name: tensor.float() for name, tensor in load_file(path).items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    tied = set(model.state_dict()) - set(untied_state(model))
    if unexpected or set(missing) - tied:
        raise ValueError(f"{path} does not hold the weights of this architecture.")
    return model


def untied_state(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The state dict without second names of the same tensor."""
    seen: set[int] = set()
    state = {}
    for name, tensor in model.state_dict().items():
        if tensor.data_ptr() not in seen:
            state[name] = tensor.detach().contiguous()
        seen.add(tensor.data_ptr())
    return state


def student_name() -> str:
    """Who is working here: the name on the hub, or the name of the user of this machine."""
    return os.environ.get("JUPYTERHUB_USER") or getpass.getuser()


def seed_of(student: str, purpose: str) -> int:
    """A seed that belongs to one student and one purpose, the same every time."""
    digest = hashlib.sha256(f"{student}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


@dataclass
class TabularOutput:
    """What a `TabularLM` returns, like the output of a transformers model."""

    logits: torch.Tensor


class TabularLM(torch.nn.Module):
    """A language model with one free row of logits for every possible prefix.

    It can represent every distribution over short sequences, so what a loss converges to is the
    loss's own doing and not a limit of the model.

    Args:
        vocab_size: number of tokens.
        context: longest prefix that is read; longer inputs raise ValueError.
    """

    def __init__(self, vocab_size: int, context: int) -> None:
        super().__init__()
        self.vocab_size, self.context = vocab_size, context
        rows = sum(vocab_size**length for length in range(context + 1))
        self.table = torch.nn.Parameter(torch.zeros(rows, vocab_size, dtype=torch.float64))

    def prefix_rows(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """[B, T] row of the prefix that ends at each position; masked positions are not read."""
        real = torch.ones_like(input_ids) if attention_mask is None else attention_mask.long()
        if int(real.sum(1).max()) > self.context:
            raise ValueError(f"longer than the context of {self.context} tokens")
        code = torch.zeros_like(input_ids[:, 0])
        rows = []
        for token, keep in zip(input_ids.T, real.T, strict=True):
            code = torch.where(keep.bool(), code * self.vocab_size + token + 1, code)
            rows.append(code)
        return torch.stack(rows, 1)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> TabularOutput:
        """Logits [B, T, V] of the token after each position."""
        return TabularOutput(self.table[self.prefix_rows(input_ids, attention_mask)])

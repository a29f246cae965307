"""What several sections share: numbers, tables of free logits, a small Llama, and their batches."""

import math

import torch

from autograder.suite import Draw, model
from sft2rl.models import TabularLM

DOUBLE = torch.float64
IMPOSSIBLE = -float("inf")


def doubles(*values) -> torch.Tensor:
    """A float64 tensor."""
    return torch.tensor(values, dtype=DOUBLE)


def softplus(x: float) -> float:
    """ln(1 + e^x), for any x."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def sigmoid(x: float) -> float:
    """1 / (1 + e^-x), for moderate x."""
    return 1.0 / (1.0 + math.exp(-x))


def table_model(draw: Draw, vocab_size: int, context: int, blocked: tuple[int, ...] = ()):
    """A table of free logits, as a model here and as a model that crosses."""
    config = {"vocab_size": vocab_size, "context": context}
    here = TabularLM(**config)
    table = draw.normal(*here.table.shape)
    table[:, list(blocked)] = IMPOSSIBLE
    here.table.data = table
    return here, model("sft2rl.models.TabularLM", config, {"table": table})


def logp_of(here: torch.nn.Module, prompt: list[int], completion: list[int]) -> float:
    """ln pi(completion | prompt) token by token, without padding, by plain arithmetic."""
    total = 0.0
    for place, token in enumerate(completion):
        prefix = torch.tensor([prompt + completion[:place]])
        logits = here(input_ids=prefix).logits[0, -1].detach().double()
        total += float(logits[token] - torch.logsumexp(logits, 0))
    return total


def batch_of(rows, left=None, width=None):
    """input_ids, attention_mask and completion_mask of (prompt, completion) rows.

    `left[i]` padding tokens stand before row i, the others after it.
    """
    left = left or [0] * len(rows)
    width = width or max(n + len(p) + len(c) for n, (p, c) in zip(left, rows, strict=True))
    input_ids = torch.zeros(len(rows), width, dtype=torch.long)
    attention, completion = torch.zeros_like(input_ids), torch.zeros_like(input_ids)
    for i, (n, (p, c)) in enumerate(zip(left, rows, strict=True)):
        input_ids[i, n : n + len(p) + len(c)] = torch.tensor(p + c)
        attention[i, n : n + len(p) + len(c)] = 1
        completion[i, n + len(p) : n + len(p) + len(c)] = 1
    return input_ids, attention, completion


def ragged_rows(draw: Draw, words: range):
    """Prompts of one to three tokens, completions of one to four, the last of them token 1."""
    lengths = draw.shuffled([(1, 4), (3, 1), (2, 3), (2, 2)])
    return [
        (draw.integers(words.start, words.stop, p).tolist(),
         [*draw.integers(words.start, words.stop, c - 1).tolist(), 1])
        for p, c in lengths
    ]  # fmt: skip


def small_llama(draw: Draw, layers: int):
    """A Llama with dropout in its attention, here and as a model that crosses; both evaluate."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = {
        "vocab_size": 7, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": layers,
        "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 32,
        "attention_dropout": 0.5,
    }  # fmt: skip
    here = LlamaForCausalLM(LlamaConfig(**config)).double().eval()
    state = {
        name: draw.normal(*tensor.shape) * (1.0 if tensor.ndim == 1 else 0.6)
        for name, tensor in here.state_dict().items()
    }
    here.load_state_dict(state)
    return here, model("transformers.LlamaForCausalLM", config, state)

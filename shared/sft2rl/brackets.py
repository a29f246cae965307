"""Close the brackets: a task whose rewards a few lines of code can verify.

A prompt is a beginning such as `([(`, a completion closes it, `)])`, and ends with the token END.
Any balanced ending is right, so several completions of a prompt may earn the reward.
"""

from __future__ import annotations

import random

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

SYMBOLS = "_.()[]"  # the token id is the place: 0 pads, 1 ends
PAD, END = 0, 1
CLOSING = {2: 3, 4: 5}
MAX_NEW_TOKENS = 8


def all_prompts(length: int = 4) -> torch.Tensor:
    """[N, length] long: every sequence that can still be balanced."""
    beginnings: list[list[int]] = [[]]
    for _ in range(length):
        beginnings = [
            [*tokens, token]
            for tokens in beginnings
            for token in (*CLOSING, *still_open(tokens)[-1:])
        ]
    return torch.tensor(beginnings)


def still_open(tokens: list[int]) -> list[int]:
    """The closing brackets that a correct beginning still waits for; the last is due first."""
    due: list[int] = []
    for token in tokens:
        if token in CLOSING:
            due.append(CLOSING[token])
        else:
            due.pop()
    return due


def verify(input_ids: torch.Tensor) -> torch.Tensor:
    """[B] float: 1 where the text up to its END is balanced, else 0 (also without END)."""
    return torch.tensor([float(_balanced(row)) for row in input_ids.tolist()])


def _balanced(tokens: list[int]) -> bool:
    due: list[int] = []
    for token in tokens:
        if token == END:
            return not due
        if token in CLOSING:
            due.append(CLOSING[token])
        elif not due or due.pop() != token:
            return False
    return False


def spell(tokens: torch.Tensor) -> str:
    """The text of one row, without padding; a full stop marks its END."""
    return "".join(SYMBOLS[token] for token in tokens.tolist() if token != PAD)


def careless_text(prompts: torch.Tensor, error_rate: float, luck: random.Random) -> torch.Tensor:
    """Prompts with the ending of a writer who types a random symbol every now and then."""
    rows = []
    for prompt in prompts.tolist():
        due, ending = still_open(prompt), list[int]()
        while len(ending) < MAX_NEW_TOKENS and END not in ending:
            token = due[-1] if due else END
            if luck.random() < error_rate:
                token = luck.randrange(1, len(SYMBOLS))
            ending.append(token)
            if token in CLOSING:
                due.append(CLOSING[token])
            elif due:
                due.pop()
        rows.append(prompt + ending + [PAD] * (MAX_NEW_TOKENS - len(ending)))
    return torch.tensor(rows)


def reference_policy(steps: int = 150, error_rate: float = 0.25, seed: int = 0) -> PreTrainedModel:
    """A tiny Llama after supervised fine-tuning on careless text (a few seconds)."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(SYMBOLS),
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=32,
        pad_token_id=PAD,
        bos_token_id=None,
        eos_token_id=END,
        tie_word_embeddings=True,
    )
    model, luck = LlamaForCausalLM(config), random.Random(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    prompts = all_prompts()
    for _ in range(steps):
        rows = torch.tensor(luck.choices(range(len(prompts)), k=64))
        input_ids = careless_text(prompts[rows], error_rate, luck)
        labels = input_ids.masked_fill(input_ids == PAD, -100)
        labels[:, : prompts.shape[1]] = -100
        loss = model(input_ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()

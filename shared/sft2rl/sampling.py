"""Drawing completions from a policy, and the offline pairs of the final project.

Conventions: a prompt has a fixed number of tokens; a completion is everything after it up to and
including the first end-of-sequence token, at most `max_new_tokens`; what follows is padding.
Samples are drawn at temperature 1 from the whole vocabulary, since otherwise their probabilities
under the policy would not be those that a loss computes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizer

from sft2rl.models import load_tokenizer
from sft2rl.textdata import DATA

PROMPTS = DATA / "llama" / "prompts.safetensors"
MAX_NEW_TOKENS = 16
OPENING = 3
SHOWN_PROMPTS = 24


@dataclass(frozen=True)
class Completions:
    """Prompts with their completions.

    Attributes:
        input_ids: [B, P + T] long; padded on the right.
        attention_mask: [B, P + T] long; 0 at padding.
        completion_mask: [B, P + T] long; 1 at the tokens of the completion, its end included.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    completion_mask: torch.Tensor

    def tensors(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The three tensors, in the order in which `completion_logps` takes them."""
        return self.input_ids, self.attention_mask, self.completion_mask


def load_prompts(part: str) -> torch.Tensor:
    """[N, 4] tag and first three tokens of movie reviews: "train" or "evaluation"."""
    return load_file(PROMPTS)[part].long()


def prompts_for(tokenizer: PreTrainedTokenizer, part: str) -> torch.Tensor:
    """[N, P] openings for a model with another tokenizer.

    Those that `sft2rl.pretrain` stored beside the tokenizer, if it made it. Otherwise the openings
    of `load_prompts`, of each the first three of the tokenizer's own tokens: what it puts in front
    of a text (such as a start token) stands in front of them, and openings that are shorter in its
    tokens are left out. For the shipped tokenizer, what `load_prompts` returns.
    """
    beside = Path(tokenizer.name_or_path) / PROMPTS.name
    if tokenizer.name_or_path and beside.is_file():
        return load_file(beside)[part].long()
    stored, own = load_prompts(part), load_tokenizer()
    if tokenizer.get_vocab() == own.get_vocab():
        return stored
    start = tokenizer("")["input_ids"]
    texts = [text.strip() for text in own.batch_decode(stored, skip_special_tokens=True)]
    rows = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return torch.tensor([start + row[:OPENING] for row in rows if len(row) >= OPENING])


def ends_of(tokenizer: PreTrainedTokenizer) -> dict[str, int]:
    """The tokens that end and pad a completion, as keywords of `sample`."""
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    return {"eos_token_id": end, "pad_token_id": end if pad is None else pad}


def draw_luck(count: int, seed: int, max_new_tokens: int = MAX_NEW_TOKENS) -> torch.Tensor:
    """[count, max_new_tokens] uniform numbers, float64: all the chance there is in a sample."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, max_new_tokens, generator=generator, dtype=torch.float64)


@torch.no_grad()
def sample(
    model: torch.nn.Module,
    prompts: torch.Tensor,
    luck: torch.Tensor,
    eos_token_id: int = 1,
    pad_token_id: int = 0,
    batch_size: int = 256,
) -> Completions:
    """Draw one completion of every prompt.

    Each token is found by comparing a uniform number with the cumulative distribution. Two
    policies that are given the same numbers therefore have the same luck, which makes their
    comparison much less noisy.

    Args:
        model: a transformers causal language model.
        prompts: [B, P] long, without padding.
        luck: [B, T] uniform numbers, see `draw_luck`; at most T tokens are drawn.
    """
    parts = [
        _continue(model, prompts[i : i + batch_size], luck[i : i + batch_size], eos_token_id)
        for i in range(0, len(prompts), batch_size)
    ]
    new = torch.cat(parts)
    before = (new == eos_token_id).cumsum(1) - (new == eos_token_id).long()
    mask = (before == 0).long()
    ones, zeros = torch.ones_like(prompts), torch.zeros_like(prompts)
    return Completions(
        torch.cat([prompts, torch.where(mask.bool(), new, pad_token_id)], 1),
        torch.cat([ones, mask], 1),
        torch.cat([zeros, mask], 1),
    )


def _continue(
    model: torch.nn.Module, prompts: torch.Tensor, luck: torch.Tensor, eos_token_id: int
) -> torch.Tensor:
    """[B, T] new tokens; what comes after the end of a sequence is meaningless."""
    past: Any = None
    tokens, new = prompts, []
    ended = torch.zeros(len(prompts), dtype=torch.bool, device=prompts.device)
    for u in luck.T:
        if bool(ended.all()):
            new.append(torch.full_like(prompts[:, 0], eos_token_id))
            continue
        output = model(input_ids=tokens, past_key_values=past, use_cache=True)
        past = output.past_key_values
        cumulative = output.logits[:, -1].double().softmax(-1).cumsum(-1)
        below = u.to(cumulative)[:, None] * cumulative[:, -1:]
        token = torch.searchsorted(cumulative, below, right=True).squeeze(1)
        new.append(token.clamp(max=cumulative.shape[1] - 1))
        ended |= new[-1] == eos_token_id
        tokens = new[-1][:, None]
    return torch.stack(new, 1)


def texts_of(tokenizer: PreTrainedTokenizer, completions: Completions) -> list[str]:
    """The text of every prompt with its completion, without tags."""
    texts = tokenizer.batch_decode(completions.input_ids, skip_special_tokens=True)
    return [text.strip() for text in texts]


def shown_texts(model: torch.nn.Module, tokenizer: PreTrainedTokenizer) -> list[str]:
    """What a policy writes to be read beside others: the same prompts and the same luck for all.

    They are the first `SHOWN_PROMPTS` openings of the evaluation.
    """
    prompts = prompts_for(tokenizer, "evaluation")[:SHOWN_PROMPTS]
    luck = draw_luck(len(prompts), seed=1)
    return texts_of(tokenizer, sample(model, prompts, luck, **ends_of(tokenizer)))


Pairs = dict[str, torch.Tensor]


def sample_pairs(
    model: torch.nn.Module,
    tokenizer: PreTrainedTokenizer,
    prompts: torch.Tensor,
    reward: Callable[[Sequence[str]], torch.Tensor],
    logps: Callable[..., torch.Tensor],
    seed: int,
) -> Pairs:
    """Two completions of every prompt, scored: all the data an offline run ever sees.

    Args:
        model: the reference policy.
        prompts: [N, P].
        reward: [B] rewards of B texts.
        logps: the student's `completion_logps`.

    Returns:
        input_ids, attention_mask, completion_mask: [N, 2, T]; ref_logps, rewards: [N, 2].
    """
    luck = draw_luck(2 * len(prompts), seed).to(prompts.device)
    drawn = sample(model, prompts.repeat_interleave(2, 0), luck, **ends_of(tokenizer))
    rewards = reward(texts_of(tokenizer, drawn)).to(prompts.device)
    ref_logps = in_chunks(logps, model, drawn)
    names = ("input_ids", "attention_mask", "completion_mask")
    pairs = dict(zip(names, drawn.tensors(), strict=True))
    pairs |= {"ref_logps": ref_logps, "rewards": rewards}
    return {name: tensor.unflatten(0, (-1, 2)) for name, tensor in pairs.items()}


@torch.no_grad()
def in_chunks(
    logps: Callable[..., torch.Tensor],
    model: torch.nn.Module,
    completions: Completions,
    size: int = 256,
) -> torch.Tensor:
    """[B] log-probabilities of completions, without gradients, `size` at a time."""
    chunks = zip(*(each.split(size) for each in completions.tensors()), strict=True)
    return torch.cat([logps(model, *chunk) for chunk in chunks])


def judge_in_chunks(
    evaluate_policy: Callable[..., dict[str, float]],
    policy: torch.nn.Module,
    reference: torch.nn.Module,
    completions: Completions,
    rewards: torch.Tensor,
    ref_rewards: torch.Tensor,
    beta: float,
    size: int = 64,
) -> dict[str, float]:
    """The student's `evaluate_policy`, about `size` completions at a time.

    At once, the distributions of two models at every position of a thousand completions fill two
    gigabytes. The figures are those of all completions, standard errors included, up to rounding.

    Args:
        completions: of `policy`, at least two.
        rewards, ref_rewards: [B] as in `evaluate_policy`.
    """
    tensors = (*completions.tensors(), rewards, ref_rewards)
    count = len(rewards)
    parts = -(-count // size)  # of nearly equal size: one completion alone has no spread
    chunks = list(zip(*(each.tensor_split(parts) for each in tensors), strict=True))
    found = [evaluate_policy(policy, reference, *chunk, beta) for chunk in chunks]
    sizes = torch.tensor([len(chunk[0]) for chunk in chunks], dtype=torch.float64)
    joined = {}
    for name in (each for each in found[0] if f"{each}_se" in found[0]):
        means = torch.tensor([each[name] for each in found], dtype=torch.float64)
        errors = torch.tensor([each[f"{name}_se"] for each in found], dtype=torch.float64)
        mean = (sizes * means).sum() / count
        squares = (sizes * (sizes - 1) * errors**2 + sizes * (means - mean) ** 2).sum()
        joined[name] = mean.item()
        joined[f"{name}_se"] = (squares / (count - 1) / count).sqrt().item()
    return joined


def save_pairs(pairs: Pairs, path: Path) -> None:
    """Write pairs to a safetensors file; it appears only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    save_file({name: tensor.contiguous() for name, tensor in pairs.items()}, part)
    os.replace(part, path)


def load_pairs(path: Path) -> Pairs:
    """Read what `save_pairs` wrote."""
    return load_file(path)

"""Train a small reference language model from scratch on the review snippets.

    python -m sft2rl.pretrain --model llama --epochs 8 --to FOLDER
    python -m sft2rl.pretrain --model gpt2 --tokenizer FOLDER --to FOLDER

made the two checkpoints that the course ships. The other settings are the defaults below;
docs/project.md has the model cards.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from sft2rl.textdata import Snippet, load_snippets, of_split

PAD, EOS = "<pad>", "<eos>"
SPECIAL = [PAD, EOS, "<movie>", "<amazon>"]
MAX_TOKENS = 48  # a snippet is cut here, its end-of-sequence token included


def train_tokenizer(texts: Sequence[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE; a space is put before the first word, so that it is like any other word."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        additional_special_tokens=SPECIAL[2:],
        clean_up_tokenization_spaces=False,
    )


def encode(tokenizer: PreTrainedTokenizerFast, snippet: Snippet) -> list[int]:
    """Tag of the source, the text, end of sequence; cut at MAX_TOKENS."""
    tag = tokenizer.convert_tokens_to_ids(f"<{snippet.source}>")
    text = tokenizer.encode(snippet.text, add_special_tokens=False)
    return [tag, *text, tokenizer.eos_token_id][:MAX_TOKENS]


def build_model(kind: str, vocab_size: int, dropout: float) -> PreTrainedModel:
    """A model of 1.3 million parameters with random weights: "llama" or "gpt2"."""
    sizes = {"vocab_size": vocab_size, "pad_token_id": 0, "bos_token_id": None, "eos_token_id": 1}
    if kind == "llama":
        config = LlamaConfig(
            hidden_size=128,
            intermediate_size=320,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=64,
            tie_word_embeddings=True,
            **sizes,
        )
        model = LlamaForCausalLM(config)
        _add_dropout(model, dropout)
        return model
    if kind == "gpt2":
        config = GPT2Config(
            n_embd=128,
            n_layer=4,
            n_head=4,
            n_inner=512,
            n_positions=64,
            activation_function="relu",
            resid_pdrop=dropout,
            embd_pdrop=dropout,
            attn_pdrop=0.0,
            **sizes,
        )
        return GPT2LMHeadModel(config)
    raise ValueError(f"unknown kind of model: {kind!r}")


def _add_dropout(model: LlamaForCausalLM, rate: float) -> None:
    """Dropout on the embeddings and on what each block adds; Llama has none of its own."""

    def drop(module: torch.nn.Module, inputs: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (F.dropout(output[0], rate, module.training), *output[1:])
        return F.dropout(output, rate, module.training)

    if rate > 0:
        model.model.embed_tokens.register_forward_hook(drop)
        for layer in model.model.layers:
            layer.self_attn.register_forward_hook(drop)
            layer.mlp.register_forward_hook(drop)


def batches(
    sequences: Sequence[list[int]], size: int, seed: int | None
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """`input_ids` and `labels` (-100 at padding), padded on the right, lengths kept together.

    With a seed the batches come in a random order, and so do texts of about the same length.
    """
    order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
    if seed is not None:
        generator = torch.Generator().manual_seed(seed)
        noise = torch.rand(len(order), generator=generator) * 4
        order.sort(key=lambda i: len(sequences[i]) + float(noise[i]))
    groups = [order[i : i + size] for i in range(0, len(order), size)]
    if seed is not None:
        groups = [groups[i] for i in torch.randperm(len(groups), generator=generator)]
    for group in groups:
        width = max(len(sequences[i]) for i in group)
        input_ids = torch.zeros(len(group), width, dtype=torch.long)
        labels = torch.full((len(group), width), -100)
        for row, i in enumerate(group):
            input_ids[row, : len(sequences[i])] = torch.tensor(sequences[i])
            labels[row, : len(sequences[i])] = torch.tensor(sequences[i])
        yield input_ids, labels


def train(
    model: PreTrainedModel,
    sequences: Sequence[list[int]],
    held_out: Sequence[list[int]],
    epochs: int,
    lr: float,
    weight_decay: float,
    batch_size: int,
    warmup: int = 100,
) -> list[dict[str, float]]:
    """AdamW with a cosine schedule; the weights of the best epoch are kept.

    Returns:
        One row per epoch: seconds, training loss and held-out loss per token, in nats.
    """
    steps = epochs * math.ceil(len(sequences) / batch_size)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=lr, betas=(0.9, 0.99), weight_decay=weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(1.0, step / warmup) * 0.5 * (1 + math.cos(math.pi * step / steps)),
    )
    log: list[dict[str, float]] = []
    best: dict[str, torch.Tensor] = {}
    start = time.process_time()
    for epoch in range(epochs):
        model.train()
        total = count = 0.0
        for input_ids, labels in batches(sequences, batch_size, seed=epoch):
            loss = summed_loss(model, input_ids, labels) / (labels[:, 1:] != -100).sum()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            schedule.step()
            total += loss.item()
            count += 1
        row = {
            "epoch": epoch + 1,
            "cpu_seconds": time.process_time() - start,
            "train_loss": total / count,
            "validation_loss": nats_per_token(model, held_out),
        }
        if row["validation_loss"] < min(
            [each["validation_loss"] for each in log], default=math.inf
        ):
            best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        log.append(row)
        print({name: round(value, 3) for name, value in row.items()}, flush=True)
    model.load_state_dict(best)
    return log


def summed_loss(
    model: PreTrainedModel, input_ids: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """Negative log-likelihood summed over the real tokens; no logits are made at padding."""
    hidden = model.base_model(input_ids).last_hidden_state[:, :-1]
    real = labels[:, 1:] != -100
    logits = model.get_output_embeddings()(hidden[real])
    return F.cross_entropy(logits, labels[:, 1:][real], reduction="sum")


@torch.no_grad()
def nats_per_token(model: PreTrainedModel, sequences: Sequence[list[int]]) -> float:
    """Mean negative log-likelihood of the tokens after the tag."""
    model.eval()
    total = count = 0.0
    for input_ids, labels in batches(sequences, 64, seed=None):
        total += summed_loss(model, input_ids, labels).item()
        count += int((labels[:, 1:] != -100).sum())
    return total / count


def bits_per_character(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, snippets: Sequence[Snippet]
) -> float:
    """Comparable between tokenizers; only texts that were not cut."""
    pairs = [(encode(tokenizer, each), len(each.text)) for each in snippets]
    pairs = [(ids, length) for ids, length in pairs if len(ids) < MAX_TOKENS]
    tokens = sum(len(ids) - 1 for ids, _ in pairs)
    nats = nats_per_token(model, [ids for ids, _ in pairs]) * tokens
    return nats / math.log(2) / sum(length for _, length in pairs)


def opening_prompts(
    tokenizer: PreTrainedTokenizerFast, snippets: Sequence[Snippet]
) -> torch.Tensor:
    """[N, 4] tag and first three tokens of each movie review that is longer than that."""
    ids = [encode(tokenizer, each) for each in snippets if each.source == "movie"]
    return torch.tensor([row[:4] for row in ids if len(row) > 5], dtype=torch.int16)


def save_half(model: PreTrainedModel, folder: Path) -> None:
    """`save_pretrained` with float16 weights: half the size, perplexity unchanged to 3 digits."""
    model.save_pretrained(folder)
    path = folder / "model.safetensors"
    halves = {name: tensor.half() for name, tensor in load_file(path).items()}
    save_file(halves, path, metadata={"format": "pt"})


def main() -> None:
    """Train a tokenizer (unless one is given) and a model, and save both with their figures."""
    parser = argparse.ArgumentParser(prog="python -m sft2rl.pretrain", description=main.__doc__)
    parser.add_argument("--model", choices=["llama", "gpt2"], default="llama")
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, help="folder of a tokenizer to use")
    parser.add_argument("--vocab-size", type=int, default=4096)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    snippets = load_snippets()
    parts = {name: of_split(snippets, name) for name in ("train", "validation", "test")}
    if args.tokenizer:
        tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
    else:
        tokenizer = train_tokenizer([each.text for each in parts["train"]], args.vocab_size)
    torch.manual_seed(args.seed)
    model = build_model(args.model, len(tokenizer), args.dropout)
    ids = {name: [encode(tokenizer, each) for each in part] for name, part in parts.items()}
    log = train(
        model, ids["train"], ids["validation"], args.epochs, args.lr, args.weight_decay,
        args.batch_size,
    )  # fmt: skip
    card = {
        "settings": {k: v for k, v in vars(args).items() if not isinstance(v, Path)},
        "parameters": model.num_parameters(),
        "test_perplexity": math.exp(nats_per_token(model, ids["test"])),
        "test_bits_per_character": bits_per_character(model, tokenizer, parts["test"]),
        "movie_test_bits_per_character": bits_per_character(
            model, tokenizer, of_split(parts["test"], "test", "movie")
        ),
        "epochs": log,
    }
    save_half(model, args.to)
    tokenizer.save_pretrained(args.to)
    prompts = {
        "train": opening_prompts(tokenizer, parts["train"])[:8192],
        "evaluation": opening_prompts(tokenizer, [*parts["validation"], *parts["test"]]),
    }
    save_file(prompts, args.to / "prompts.safetensors")
    (args.to / "training.json").write_text(json.dumps(card, indent=1) + "\n", "utf-8")
    print({name: value for name, value in card.items() if name != "epochs"})


if __name__ == "__main__":
    main()

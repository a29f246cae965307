"""The project's training against TRL's trainers: `course bench project`.

Both sides train the same model on the same pairs (DPO) or prompts (RLOO), with the same batch,
length, padding, dtype and optimiser. Reference log-probabilities of DPO are computed beforehand and
gradient checkpointing is off, on both sides. Each side runs in a process of its own, in turns. Only
training is timed: not imports, preparation and the first two steps.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autograder.config import CourseError, find_assignment

TRL = "trl==1.16.0"
METHODS = ("dpo", "rloo")
SIDES = ("ours", "trl")
WARM_UP = 2
BETA, LR = {"dpo": 0.5, "rloo": 0.2}, 3e-4
PAIRS, PROMPTS, GENERATIONS = 64, 32, 4


def compare(python: str, steps: int, rounds: int) -> dict[str, Any]:
    """Run both sides in turns.

    Args:
        python: an interpreter that has this course and TRL.
        steps: timed steps of every run.
        rounds: how often each side runs.

    Returns:
        {method: {"ours": figures, "trl": figures, "speed": ratio, "memory": ratio}}: medians over
        the rounds; a speed above 1 means that ours is faster, a memory below 1 that it needs less.

    Raises:
        CourseError: a side does not run, most likely because TRL is not installed.
    """
    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for method in METHODS:
            found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
            for _ in range(rounds):
                for side in SIDES:
                    found[side].append(_run(python, side, method, steps, folder))
            row: dict[str, Any] = {side: _median(found[side]) for side in SIDES}
            row["speed"] = row["ours"]["tokens_per_second"] / row["trl"]["tokens_per_second"]
            row["memory"] = row["ours"]["peak_mb"] / row["trl"]["peak_mb"]
            report[method] = row
    return report


def _median(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def _run(python: str, side: str, method: str, steps: int, folder: str) -> dict[str, float]:
    command = [python, "-m", "autograder.bench_project", side, method, str(steps), folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise CourseError(
            f"{side} could not train with {method}: {last} The benchmark needs {TRL} beside the "
            "course: install both in another environment and name its interpreter with --python."
        )
    return json.loads(done.stdout.strip().splitlines()[-1])


# --- one side, in its own process ---------------------------------------------------------


class Clock:
    """Adds up tokens and CPU time of the steps after the warm-up.

    CPU time of one thread, so that other work on the machine does not decide who is faster.
    """

    def __init__(self) -> None:
        self.steps, self.tokens, self.start = 0, 0, 0.0

    def step(self, tokens: int) -> None:
        """Note the end of a step that read so many tokens, padding excluded."""
        self.steps += 1
        if self.steps == WARM_UP:
            self.start = time.process_time()
        elif self.steps > WARM_UP:
            self.tokens += tokens

    def figures(self) -> dict[str, float]:
        seconds = time.process_time() - self.start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {
            "tokens_per_second": self.tokens / seconds,
            "seconds_per_step": seconds / (self.steps - WARM_UP),
            "peak_mb": peak,
        }


def ours(method: str, steps: int, folder: Path) -> dict[str, float]:
    """`sft2rl.train` with the losses of the reference solution."""
    from sft2rl import sampling, train
    from sft2rl.models import frozen, keep_memory, load_model, load_tokenizer
    from sft2rl.reward import RewardModel
    from sft2rl.schedule import batch_rows

    keep_memory()
    functions = train.load_functions(find_assignment("project").solution)
    reference, tokenizer = frozen(load_model()), load_tokenizer()
    judge = RewardModel.load().rewards
    batch_size = PAIRS if method == "dpo" else PROMPTS
    settings = train.Settings(
        method, beta=BETA[method], lr=LR, steps=steps, batch_size=batch_size,
        num_generations=GENERATIONS,
    )  # fmt: skip
    run = train.Run(settings, functions, reference)
    clock, count = Clock(), 0
    if method == "dpo":
        pairs = _pairs(folder)
        loss_of, count = run.offline(pairs, None), len(pairs["rewards"])
    else:
        prompts = sampling.load_prompts("train")[:1024]
        loss_of, count = run.online(prompts, judge, tokenizer), len(prompts)
        logps = functions.completion_logps

        def counted(model: Any, *tensors: Any) -> Any:
            seen.append(int(tensors[1].sum()))
            return logps(model, *tensors)

        setattr(functions, "completion_logps", counted)  # noqa: B010
    seen: list[int] = []
    for step in range(steps):
        rows = batch_rows(count, batch_size, step, seed=0)
        run.advance(loss_of, rows)
        clock.step(int(pairs["attention_mask"][rows].sum()) if method == "dpo" else seen[-1])
    return clock.figures()


def trl(method: str, steps: int, folder: Path) -> dict[str, float]:
    """TRL's trainers, fed with token ids so that both sides see the same."""
    from datasets import Dataset, disable_progress_bars
    from transformers import TrainerCallback
    from trl import DPOConfig, DPOTrainer, RLOOConfig, RLOOTrainer

    from sft2rl import sampling
    from sft2rl.models import load_model, load_tokenizer
    from sft2rl.reward import RewardModel

    disable_progress_bars()
    clock, seen = Clock(), [0]
    tokenizer, judge = load_tokenizer(), RewardModel.load().rewards

    class Steps(TrainerCallback):
        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            clock.step(seen[-1])

    common: dict[str, Any] = {
        "output_dir": str(folder / "trl"), "max_steps": steps, "learning_rate": LR,
        "beta": BETA[method], "max_grad_norm": 1.0, "bf16": False, "use_cpu": True,
        "gradient_checkpointing": False, "logging_strategy": "no", "save_strategy": "no",
        "report_to": "none", "disable_tqdm": True, "adam_beta2": 0.99, "weight_decay": 0.0,
    }  # fmt: skip

    def counting(compute_loss: Callable[..., Any]) -> Callable[..., Any]:
        """Note how many tokens each batch of a trainer has."""

        def wrapped(self: Any, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            masks = [inputs[name] for name in MASKS[method]]
            seen.append(sum(int(mask.sum()) for mask in masks))
            return compute_loss(self, model, inputs, *args, **kwargs)

        return wrapped

    if method == "dpo":

        class Pairs(DPOTrainer):
            """Takes pairs that are token ids already."""

            compute_loss = counting(DPOTrainer.compute_loss)

            def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
                return dataset

        trainer = Pairs(
            load_model(),
            args=DPOConfig(
                **common, per_device_train_batch_size=PAIRS, precompute_ref_log_probs=True
            ),
            train_dataset=Dataset.from_list(_as_rows(_pairs(folder))),
            processing_class=tokenizer,
            callbacks=[Steps()],
        )
    else:
        prompts = sampling.load_prompts("train")[:1024]

        class Prompts(RLOOTrainer):
            """Takes prompts by number, since a text need not give the same tokens again."""

            compute_loss = counting(RLOOTrainer.compute_loss)

            def _tokenize_prompts(self, chosen: list[str]) -> tuple[list[list[int]], None, dict]:
                return [prompts[int(each)].tolist() for each in chosen], None, {}

        def reward(prompts: list[str], completions: list[str], **kwargs: Any) -> list[float]:
            texts = [openings[int(p)] + c for p, c in zip(prompts, completions, strict=True)]
            return judge(texts).tolist()

        openings = tokenizer.batch_decode(prompts, skip_special_tokens=True)
        trainer = Prompts(
            load_model(),
            reward_funcs=reward,
            args=RLOOConfig(
                **common,
                per_device_train_batch_size=PROMPTS * GENERATIONS,
                num_generations=GENERATIONS,
                max_completion_length=sampling.MAX_NEW_TOKENS,
                steps_per_generation=1,
                num_iterations=1,
                temperature=1.0,
            ),  # fmt: skip
            train_dataset=Dataset.from_list([{"prompt": str(i)} for i in range(len(prompts))]),
            processing_class=tokenizer,
            callbacks=[Steps()],
        )
    trainer.train()
    return clock.figures()


MASKS = {"dpo": ("attention_mask",), "rloo": ("prompt_mask", "completion_mask")}


def _pairs(folder: Path) -> dict[str, Any]:
    """The same offline pairs for both sides, sampled by the first that asks."""
    from sft2rl import sampling, train
    from sft2rl.models import load_model, load_tokenizer
    from sft2rl.reward import RewardModel

    functions = train.load_functions(find_assignment("project").solution)
    settings = train.Settings("dpo", num_prompts=1024, pairs_per_prompt=1)
    prompts = sampling.load_prompts("train")[: settings.num_prompts]
    return train.ensure_pairs(
        folder / "pairs.safetensors", settings, functions, load_model(), load_tokenizer(),
        RewardModel.load().rewards, prompts,
    )  # fmt: skip


def _as_rows(pairs: dict[str, Any]) -> list[dict[str, list[int]]]:
    """Pairs as TRL's collator wants them: ids without padding, the better one first."""
    rows = []
    for ids, attention, completion, rewards in zip(
        pairs["input_ids"], pairs["attention_mask"], pairs["completion_mask"], pairs["rewards"],
        strict=True,
    ):  # fmt: skip
        start = int(attention[0].sum() - completion[0].sum())
        texts = [
            each[: int(mask.sum())].tolist() for each, mask in zip(ids, attention, strict=True)
        ]
        better = int(rewards[1] > rewards[0])
        rows.append({
            "prompt_ids": texts[0][:start],
            "chosen_ids": texts[better][start:],
            "rejected_ids": texts[1 - better][start:],
        })  # fmt: skip
    return rows


def main() -> None:
    """One side; prints its figures as the last line."""
    parser = argparse.ArgumentParser(prog="python -m autograder.bench_project")
    parser.add_argument("side", choices=SIDES)
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("steps", type=int)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    work = ours if args.side == "ours" else trl
    print(json.dumps(work(args.method, args.steps + WARM_UP, args.folder)))
    sys.stdout.flush()
    os._exit(0)  # TRL's dependencies may keep threads alive


if __name__ == "__main__":
    main()

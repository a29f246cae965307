"""Make the results that the project's notebook shows: all methods, sweeps and seeds.

    python -m sft2rl.sweep --losses LOSSES --runs FOLDER --seeds 5

Every run is kept in its folder, so an interrupted sweep goes on where it stopped. At the end, or
with `--collect` at any time, `results.json` is written from the runs that are complete. The one
that ships was made this way with the reference losses. `--model`, `--lr`, `--pairs-per-prompt` and
`--only` compare with another reference model or other settings; use another folder for each.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from sft2rl.models import (
    REFERENCE,
    frozen,
    keep_memory,
    load_model,
    load_policy,
    load_tokenizer,
)
from sft2rl.project_results import load
from sft2rl.reward import RewardModel
from sft2rl.sampling import (
    SHOWN_PROMPTS,
    draw_luck,
    ends_of,
    prompts_for,
    sample,
    shown_texts,
    texts_of,
)
from sft2rl.train import Settings, evaluate, load_functions, train

SAMPLES_OF = ("sft", "dpo-0.5", "pg-mean-0.2", "copg-0.2", "pg-none-0.2-2", "rloo-0.2")


MAIN = {
    "copg-0.2": Settings("copg"),
    "dpo-0.5": Settings("dpo", beta=0.5),
    "pg-mean-0.2": Settings("pg"),
    "sft": Settings("sft"),
}
SHIFTED = {
    "pg-none-0.2-2": Settings("pg", baseline="none", shift=-2.0),
    "pg-none-0.2": Settings("pg", baseline="none"),
    "pg-none-0.2+2": Settings("pg", baseline="none", shift=2.0),
}
ONLINE = {"rloo-0.2": Settings("rloo", batch_size=32)}
DPO = {f"dpo-{beta}": Settings("dpo", beta=beta) for beta in (1.0, 0.2)}
BETAS = {
    f"{name}-{beta}": Settings(method, beta=beta)
    for beta in (0.1, 0.5)
    for name, method in (("copg", "copg"), ("pg-mean", "pg"))
}
NAMES = tuple(MAIN | SHIFTED | ONLINE | DPO | BETAS)


def planned(seeds: int, few: int) -> Iterator[tuple[str, Settings]]:
    """(name, settings): the methods and the betas of DPO with all seeds, the rest with a few.

    In an order in which a sweep that is stopped early has compared what matters most: first the
    offline methods, then one run of everything, then the seeds that are missing.
    """
    early = min(seeds, few)
    for seed in range(early):
        yield from _with_seed(MAIN, seed)
    yield from _with_seed(SHIFTED | ONLINE | DPO, 0)
    for seed in range(early, seeds):
        yield from _with_seed(MAIN, seed)
    for seed in range(1, seeds):
        yield from _with_seed(DPO | ONLINE, seed)
    for seed in range(1, few):
        yield from _with_seed(SHIFTED, seed)
    for seed in range(few):
        yield from _with_seed(BETAS, seed)


def _with_seed(kinds: dict[str, Settings], seed: int) -> Iterator[tuple[str, Settings]]:
    for name, settings in kinds.items():
        yield name, replace(settings, seed=seed)


def chosen(
    runs: Iterable[tuple[str, Settings]], only: Collection[str], **changed: Any
) -> Iterator[tuple[str, Settings]]:
    """Those runs of a plan that are asked for, with some of their settings changed."""
    for name, settings in runs:
        if name in only:
            yield name, replace(settings, **changed)


@contextmanager
def claimed(folder: Path) -> Iterator[Path | None]:
    """The folder, or None while another sweep works in it: several may run at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield folder


def main() -> None:
    """Run what is planned and not yet done, then collect everything."""
    parser = argparse.ArgumentParser(prog="python -m sft2rl.sweep", description=main.__doc__)
    parser.add_argument("--losses", type=Path, required=True, help="notebook or module")
    parser.add_argument("--runs", type=Path, required=True, help="folder of all runs")
    parser.add_argument("--to", type=Path, help="default: results.json in the folder of the runs")
    parser.add_argument("--seeds", type=int, default=5, help="of the main comparison")
    parser.add_argument("--few", type=int, default=3, help="of everything else")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="RUN")
    parser.add_argument("--model", default=str(REFERENCE), help="folder of the reference")
    parser.add_argument("--lr", type=float, default=Settings.lr)
    parser.add_argument("--pairs-per-prompt", type=int, default=Settings.pairs_per_prompt)
    parser.add_argument("--collect", action="store_true", help="run nothing, write what is there")
    args = parser.parse_args()

    keep_memory()
    functions = load_functions(args.losses)
    reference, tokenizer = frozen(load_model(args.model)), load_tokenizer(args.model)
    judge = RewardModel.load().rewards
    prompts = prompts_for(tokenizer, "train")
    wanted = chosen(
        planned(args.seeds, args.few), args.only,
        lr=args.lr, pairs_per_prompt=args.pairs_per_prompt,
    )  # fmt: skip
    for name, settings in () if args.collect else wanted:
        with claimed(args.runs / f"{name}.seed{settings.seed}") as folder:
            if folder is None or (folder / "report.json").is_file():
                continue
            start = time.process_time()
            run = train(
                settings, functions, folder, reference, tokenizer, judge, prompts,
                pairs_file=args.runs / f"pairs.seed{settings.seed}.safetensors",
            )  # fmt: skip
            seconds = time.process_time() - start
            figures = evaluate(
                run.policy, reference, tokenizer, judge, functions, settings.judge_beta
            )
            report = {"name": name, **asdict(settings), **figures, "cpu_seconds": seconds}
            (folder / "report.json").write_text(json.dumps(report) + "\n")
            (folder / "checkpoint.safetensors").unlink()
            print(f"{name}.seed{settings.seed} J {figures['J']:+.3f}", flush=True)
    to = args.to or args.runs / "results.json"
    collect(args.runs, to, functions, reference, tokenizer, judge)
    print(load(to).table())


def collect(
    runs: Path, to: Path, functions: Any, reference: torch.nn.Module, tokenizer: Any, judge: Any
) -> None:
    """Write one file with the figures of all runs, the reference's, and texts to read."""
    reports = [json.loads(path.read_text()) for path in sorted(runs.glob("*/report.json"))]
    rounded = [
        {k: round(v, 4) if isinstance(v, float) else v for k, v in report.items()}
        for report in reports
    ]
    facts = runs / "reference.json"
    if not facts.is_file():
        own = evaluate(reference, reference, tokenizer, judge, functions, beta=0.2)
        optimum = estimate_optimum(reference, tokenizer, judge)
        rounded_own = {k: round(v, 4) for k, v in own.items()}
        facts.write_text(json.dumps({"reference": rounded_own, "optimum": optimum}))
    prompts = prompts_for(tokenizer, "evaluation")[:SHOWN_PROMPTS]
    texts = {"reference": shown_texts(reference, tokenizer)}
    for name in SAMPLES_OF:
        path = runs / f"{name}.seed0" / "policy.safetensors"
        if path.is_file():
            texts[name] = shown_texts(load_policy(path, reference), tokenizer)
    data = {
        **json.loads(facts.read_text()),
        "runs": rounded,
        "texts": texts,
        "prompts": [tokenizer.decode(row, skip_special_tokens=True).strip() for row in prompts],
    }
    to.write_text(json.dumps(data, indent=0, ensure_ascii=False) + "\n")


def estimate_optimum(
    reference: torch.nn.Module, tokenizer: Any, judge: Any, beta: float = 0.2,
    prompts: int = 128, samples: int = 128,
) -> dict[str, float]:  # fmt: skip
    """J* = E_x[beta ln Z(x)], with Z a mean over samples of the reference: biased low.

    Half the samples give a lower estimate still; how much lower says how large the bias is.
    """
    start = prompts_for(tokenizer, "evaluation")[:prompts].repeat_interleave(samples, 0)
    drawn = sample(reference, start, draw_luck(len(start), seed=3), **ends_of(tokenizer))
    scaled = judge(texts_of(tokenizer, drawn)).view(-1, samples).double() / beta

    def value(part: torch.Tensor) -> float:
        logs = part.logsumexp(1) - torch.tensor(float(part.shape[1])).log()
        return float(beta * logs.mean())

    return {"J": round(value(scaled), 4), "J_half": round(value(scaled[:, ::2]), 4)}


if __name__ == "__main__":
    main()

"""Train a policy outside the notebook, on one process or several.

    python -m sft2rl.train --method copg --losses project.ipynb --to runs/copg
    torchrun --nproc-per-node 2 -m sft2rl.train --method rloo --losses project.ipynb --to runs/rloo

The losses come from a notebook or a module (`--losses`): it must define `completion_logps`,
`offline_loss`, `pg_loss` and `evaluate_policy` and what they use. Only its imports, functions,
classes and constants are executed. This module adds data, checkpoints, logging and the exchange of
gradients between processes; a run that was interrupted carries on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import torch.distributed as dist
from safetensors import safe_open
from safetensors.torch import save_file

from sft2rl.models import (
    REFERENCE,
    copy_of,
    frozen,
    keep_memory,
    load_model,
    load_tokenizer,
    save_policy,
)
from sft2rl.reward import RewardModel, vader
from sft2rl.sampling import (
    Pairs,
    draw_luck,
    ends_of,
    judge_in_chunks,
    load_pairs,
    prompts_for,
    sample,
    sample_pairs,
    save_pairs,
    texts_of,
)
from sft2rl.schedule import batch_rows, lr_factor

OFFLINE = ("sft", "dpo", "pg", "copg")
METHODS = (*OFFLINE, "rloo")
NEEDED = ("completion_logps", "offline_loss", "pg_loss", "evaluate_policy")
EVALUATION_SEED = 2026


@dataclass(frozen=True)
class Settings:
    """What a run does; the same settings and data give the same policy.

    Attributes:
        method: one of METHODS.
        beta: strength of the KL regularisation inside the loss (the temperature of DPO).
        judge_beta: the beta of the J that is reported, the same for all methods.
        baseline: of "pg": "none", "mean" (of the data's rewards) or a number.
        shift: a constant added to all rewards before training.
        batch_size: pairs per step; prompts per step for "rloo".
        num_generations: completions per prompt of "rloo".
        num_prompts: how many of the prompts are used.
        pairs_per_prompt: offline pairs of each of them.
    """

    method: str
    beta: float = 0.2
    judge_beta: float = 0.2
    baseline: str = "mean"
    shift: float = 0.0
    steps: int = 256
    batch_size: int = 64
    num_generations: int = 4
    lr: float = 3e-4
    seed: int = 0
    num_prompts: int = 8192
    pairs_per_prompt: int = 2

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method is one of {', '.join(METHODS)}, not {self.method!r}")


# --- the losses of somebody else ----------------------------------------------------------


def load_functions(path: Path) -> ModuleType:
    """Functions of a notebook or a Python file; nothing else of it is executed.

    Raises:
        ValueError: a needed function is not defined there.
    """
    module = ModuleType("losses")
    for source in _sources(path):
        tree = ast.parse(source)
        tree.body = [node for node in tree.body if _defines(node)]
        exec(compile(tree, str(path), "exec"), vars(module))
    missing = [name for name in NEEDED if not hasattr(module, name)]
    if missing:
        raise ValueError(f"{path} does not define {', '.join(missing)}.")
    return module


def _sources(path: Path) -> Iterator[str]:
    text = path.read_text("utf-8")
    if path.suffix != ".ipynb":
        yield text
        return
    for cell in json.loads(text)["cells"]:
        if cell["cell_type"] == "code":
            yield re.sub(r"(?m)^\s*[%!].*$", "", "".join(cell["source"]))


def _defines(node: ast.stmt) -> bool:
    """Imports, functions, classes, and assignments of plain constants."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
        return True
    if not isinstance(node, ast.Assign):
        return False
    try:
        ast.literal_eval(node.value)
    except ValueError:
        return False
    return True


# --- several processes --------------------------------------------------------------------


@contextmanager
def process_group(device: str) -> Iterator[tuple[int, int]]:
    """(rank, number of processes); a process group exists inside when torchrun started us."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield 0, 1
        return
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield dist.get_rank(), world
    finally:
        dist.destroy_process_group()


def sum_gradients(model: torch.nn.Module) -> None:
    """Add the gradients of all processes, in one message."""
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([grad.flatten() for grad in grads])
    dist.all_reduce(flat)
    for grad, part in zip(grads, flat.split([grad.numel() for grad in grads]), strict=True):
        grad.copy_(part.view_as(grad))


# --- one run ------------------------------------------------------------------------------


class Run:
    """A policy on its way, with everything a checkpoint must hold.

    Args:
        settings: what to do.
        functions: see `load_functions`.
        reference: the frozen model that the policy starts from.
        losses: called with every loss as (step, value).
    """

    def __init__(
        self,
        settings: Settings,
        functions: ModuleType,
        reference: torch.nn.Module,
        log: Callable[[int, float], None] = lambda step, loss: None,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.settings, self.functions, self.log = settings, functions, log
        self.rank, self.world = rank, world
        self.reference = frozen(reference)
        self.policy = copy_of(reference)
        self.device = next(reference.parameters()).device
        self.optimizer = torch.optim.Adam(
            self.policy.parameters(), lr=settings.lr, betas=(0.9, 0.99)
        )
        self.step = 0
        self.losses: list[float] = []

    def advance(self, loss_of: Callable[[torch.Tensor], torch.Tensor], rows: torch.Tensor) -> None:
        """One step of Adam on the rows of a batch; each process takes its share of them.

        Args:
            loss_of: the mean loss over the rows it is given.
        """
        s = self.settings
        mine = rows[self.rank :: self.world]
        loss = loss_of(mine) * (len(mine) / len(rows))
        self.optimizer.zero_grad()
        loss.backward()
        if self.world > 1:
            sum_gradients(self.policy)
        torch.nn.utils.clip_grad_norm_(self.policy.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = s.lr * lr_factor(self.step, s.steps)
        self.optimizer.step()
        total = loss.detach()
        if self.world > 1:
            dist.all_reduce(total)
        self.losses.append(total.item())
        self.log(self.step, self.losses[-1])
        self.step += 1

    def offline(self, pairs: Pairs, baseline: float | None) -> Callable[..., torch.Tensor]:
        """The loss of a batch of stored pairs."""
        f, s = self.functions, self.settings

        def loss_of(rows: torch.Tensor) -> torch.Tensor:
            batch = {name: tensor[rows].to(self.device) for name, tensor in pairs.items()}
            inputs = ("input_ids", "attention_mask", "completion_mask")
            logps = f.completion_logps(self.policy, *(batch[name].flatten(0, 1) for name in inputs))
            rewards = batch["rewards"] + s.shift
            logps, ref_logps = logps.view_as(rewards), batch["ref_logps"]
            return f.offline_loss(s.method, logps, ref_logps, rewards, s.beta, baseline)

        return loss_of

    def online(
        self, prompts: torch.Tensor, reward: Callable[..., torch.Tensor], tokenizer: Any
    ) -> Callable[..., Any]:
        """The loss of fresh samples from the policy itself, with a leave-one-out baseline."""
        f, s = self.functions, self.settings

        def loss_of(rows: torch.Tensor) -> torch.Tensor:
            K = s.num_generations
            luck = draw_luck(len(prompts) * K, s.seed * 1_000_003 + self.step)
            luck = luck.unflatten(0, (-1, K))[rows].flatten(0, 1)
            start = prompts[rows].repeat_interleave(K, 0).to(self.device)
            drawn = sample(self.policy, start, luck.to(self.device), **ends_of(tokenizer))
            rewards = reward(texts_of(tokenizer, drawn)).to(self.device) + s.shift
            with torch.no_grad():
                ref_logps = f.completion_logps(self.reference, *drawn.tensors())
            logps = f.completion_logps(self.policy, *drawn.tensors())
            parts = (each.view(-1, K) for each in (logps, ref_logps, rewards))
            return f.pg_loss(*parts, s.beta, "loo")

        return loss_of

    def save(self, path: Path) -> None:
        """Weights, optimiser and position, in one safetensors file that replaces the last one."""
        tensors = {f"model.{k}": v for k, v in self.policy.state_dict().items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{name}": value for name, value in state.items()}
        facts = {"step": str(self.step), "losses": json.dumps(self.losses)}
        facts["settings"] = json.dumps(asdict(self.settings))
        part = path.with_suffix(".part")
        save_file({k: v.detach().clone().contiguous() for k, v in tensors.items()}, part, facts)
        os.replace(part, path)

    def resume(self, path: Path) -> None:
        """Carry on from a checkpoint of the same settings, if there is one."""
        if not path.is_file():
            return
        with safe_open(path, "pt") as file:
            facts = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if json.loads(facts["settings"]) != asdict(self.settings):
            raise ValueError(f"{path} belongs to a run with other settings; choose another folder.")
        model = {k[len("model.") :]: v for k, v in tensors.items() if k.startswith("model.")}
        self.policy.load_state_dict(model)
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("adam."):
                _, index, key = name.split(".")
                state.setdefault(int(index), {})[key] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.step, self.losses = int(facts["step"]), json.loads(facts["losses"])


def baseline_of(settings: Settings, pairs: Pairs) -> float | None:
    """The constant baseline that the settings ask for."""
    if settings.baseline == "none":
        return None
    if settings.baseline == "mean":
        return float(pairs["rewards"].mean()) + settings.shift
    return float(settings.baseline)


def train(
    settings: Settings,
    functions: ModuleType,
    folder: Path,
    reference: torch.nn.Module,
    tokenizer: Any,
    reward: Callable[..., torch.Tensor],
    prompts: torch.Tensor,
    pairs_file: Path | None = None,
    save_every: int = 64,
    log: Callable[[int, float], None] = lambda step, loss: None,
    rank: int = 0,
    world: int = 1,
) -> Run:
    """Train one policy; `folder` receives its checkpoint and `policy.safetensors`."""
    run = Run(settings, functions, reference, log, rank, world)
    checkpoint = folder / "checkpoint.safetensors"
    run.resume(checkpoint)
    prompts = prompts[: settings.num_prompts]
    if settings.method == "rloo":
        loss_of, count = run.online(prompts, reward, tokenizer), len(prompts)
    else:
        pairs = ensure_pairs(
            pairs_file or folder / "pairs.safetensors", settings, functions, reference, tokenizer,
            reward, prompts, rank, world,
        )  # fmt: skip
        loss_of, count = run.offline(pairs, baseline_of(settings, pairs)), len(pairs["rewards"])
    while run.step < settings.steps:
        run.advance(loss_of, batch_rows(count, settings.batch_size, run.step, settings.seed))
        if rank == 0 and (run.step % save_every == 0 or run.step == settings.steps):
            folder.mkdir(parents=True, exist_ok=True)
            run.save(checkpoint)
    if rank == 0:
        save_policy(run.policy, folder / "policy.safetensors", method=settings.method)
    return run


def ensure_pairs(
    path: Path, settings: Settings, functions: ModuleType, reference: torch.nn.Module,
    tokenizer: Any, reward: Callable[..., torch.Tensor], prompts: torch.Tensor,
    rank: int = 0, world: int = 1,
) -> Pairs:  # fmt: skip
    """The stored pairs, sampled by the first process if they are not there yet."""
    if rank == 0 and not path.is_file():
        device = next(reference.parameters()).device
        prompts = prompts.repeat(settings.pairs_per_prompt, 1).to(device)
        pairs = sample_pairs(
            reference, tokenizer, prompts, reward, functions.completion_logps, settings.seed
        )
        save_pairs({name: tensor.cpu() for name, tensor in pairs.items()}, path)
    if world > 1:
        dist.barrier()
    return load_pairs(path)


@torch.no_grad()
def evaluate(
    policy: torch.nn.Module,
    reference: torch.nn.Module,
    tokenizer: Any,
    reward: Callable[..., torch.Tensor],
    functions: ModuleType,
    beta: float,
    seed: int = EVALUATION_SEED,
    limit: int | None = None,
) -> dict[str, float]:
    """Both judges' figures on the evaluation prompts, with the same luck for every policy."""
    device = next(policy.parameters()).device
    prompts = prompts_for(tokenizer, "evaluation")[:limit].to(device)
    luck = draw_luck(len(prompts), seed).to(device)
    own, theirs = (sample(m, prompts, luck, **ends_of(tokenizer)) for m in (policy, reference))
    figures: dict[str, float] = {}
    for prefix, judge in (("", reward), ("vader_", vader)):
        rewards, ref_rewards = (
            judge(texts_of(tokenizer, each)).to(device) for each in (own, theirs)
        )
        found = judge_in_chunks(
            functions.evaluate_policy, policy, reference, own, rewards, ref_rewards, beta
        )
        wanted = ("reward", "win_rate") if prefix else ("reward", "kl", "J", "win_rate")
        for name in wanted:
            figures[prefix + name] = found[name]
            figures[prefix + name + "_se"] = found[name + "_se"]
    figures["length"] = float(own.completion_mask.sum(1).float().mean())
    return figures


def main() -> None:
    """Train one policy with the losses of a notebook or module, and evaluate it."""
    parser = argparse.ArgumentParser(prog="python -m sft2rl.train", description=main.__doc__)
    parser.add_argument("--method", choices=METHODS, required=True)
    parser.add_argument("--losses", type=Path, required=True, help="notebook or module")
    parser.add_argument("--to", type=Path, required=True, help="folder of the run")
    parser.add_argument("--pairs", type=Path, help="file of offline pairs; sampled if missing")
    parser.add_argument("--model", default=str(REFERENCE), help="folder or name of the reference")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--evaluation-prompts", type=int, metavar="N",
        help="judge on so many prompts only; a large model needs time for each",
    )  # fmt: skip
    parser.add_argument("--no-evaluation", action="store_true", help="train only")
    parser.add_argument("--tensorboard", action="store_true", help="log to FOLDER/tensorboard")
    for name, default in asdict(Settings("sft")).items():
        if name != "method":
            parser.add_argument("--" + name.replace("_", "-"), type=type(default), default=default)
    args = vars(parser.parse_args())
    keep_memory()
    settings = Settings(**{name: args[name] for name in asdict(Settings("sft"))})
    functions = load_functions(args["losses"])
    with process_group(args["device"]) as (rank, world):
        figures = _train_and_evaluate(settings, functions, args, rank, world)
    if figures:
        print(json.dumps(figures, indent=1))


def _train_and_evaluate(
    settings: Settings, functions: ModuleType, args: dict[str, Any], rank: int, world: int
) -> dict[str, float]:
    device = f"cuda:{rank}" if args["device"] == "cuda" and world > 1 else args["device"]
    reference = frozen(load_model(args["model"]).to(device))
    tokenizer, judge = load_tokenizer(args["model"]), RewardModel.load()
    with _logger(args["to"], args["tensorboard"], rank) as log:
        start = time.perf_counter()
        run = train(
            settings, functions, args["to"], reference, tokenizer, judge.rewards,
            prompts_for(tokenizer, "train"), args["pairs"], log=log, rank=rank, world=world,
        )  # fmt: skip
        seconds = time.perf_counter() - start
    if rank or args["no_evaluation"]:
        return {}
    figures = evaluate(
        run.policy, reference, tokenizer, judge.rewards, functions, settings.judge_beta,
        limit=args["evaluation_prompts"],
    )  # fmt: skip
    report = {**asdict(settings), **figures, "seconds": seconds, "losses": run.losses}
    (args["to"] / "report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return figures


@contextmanager
def _logger(folder: Path, tensorboard: bool, rank: int) -> Iterator[Callable[[int, float], None]]:
    """Losses to TensorBoard if asked, and to the terminal every 32 steps."""
    writer = None
    if tensorboard and rank == 0:
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(folder / "tensorboard")

    def log(step: int, loss: float) -> None:
        if writer:
            writer.add_scalar("loss", loss, step)
        if rank == 0 and step % 32 == 0:
            print(f"step {step:4d}  loss {loss:+.4f}", flush=True)

    yield log
    if writer:
        writer.close()


if __name__ == "__main__":
    main()

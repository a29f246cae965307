"""Scores the policies that the project hands in, by evaluating them again.

A submission's folder holds `policy_dpo.safetensors`, `policy_pg.safetensors` and
`policy_copg.safetensors`. Weights are data: they are read with limits on their size, must be the
tensors of the reference's architecture, and are judged with the shipped reward model on the
shipped prompts, with random numbers that are the same for every policy. docs/project.md says where
the thresholds come from. No file can say how it was made.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from autograder.results import ExerciseResult, Incident, TestResult
from sft2rl.models import copy_of, frozen, load_model, load_tokenizer, untied_state
from sft2rl.project_results import THRESHOLDS
from sft2rl.reward import RewardModel
from sft2rl.sampling import Completions, draw_luck, load_prompts, sample, texts_of

BETA = 0.2
SUFFIX = ".safetensors"
MAX_FILE = 12 * 2**20  # the reference in float32 has 5 MB
MAX_HEADER = 64 * 2**10
MAX_WEIGHT = 1e4
SEEDS = (71, 72)  # two completions of every prompt; the notebook shows another seed
LEAST_KL = 0.01  # nats; below it a policy is the reference with other digits
DTYPES = (torch.float16, torch.bfloat16, torch.float32)
EXERCISES = tuple(THRESHOLDS)


class Refused(Exception):
    """A file that is not a policy; `code` is its name among the incidents."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Figures:
    """What one policy does on the evaluation prompts; means with standard errors over prompts.

    Attributes:
        J: reward - beta * kl.
        gain: J minus that of the reference, its error from the differences prompt by prompt.
        win_rate: share of prompts where the reward is higher than the reference's.
    """

    reward: float
    kl: float
    J: float
    J_se: float
    gain: float
    gain_se: float
    win_rate: float

    @property
    def best_gain(self) -> float:
        """Upper end of the 95 % interval of the gain: a policy gets the benefit of the doubt."""
        return self.gain + 1.96 * self.gain_se

    @property
    def sure_gain(self) -> float:
        """Lower end of that interval."""
        return self.gain - 1.96 * self.gain_se


def score_artefact(
    exercise: str, folder: Path, points: float
) -> tuple[ExerciseResult, list[Incident]]:
    """Score one policy that was handed in.

    Args:
        exercise: one of EXERCISES; the file is called like it.
        folder: where the submission lies.
        points: what the exercise is worth.

    Returns:
        The result, and an incident that names what is wrong with a file that is refused.
    """
    try:
        figures = evaluate(read_policy(folder / f"{exercise}{SUFFIX}"))
    except Refused as refusal:
        return refused(refusal, points), [Incident(refusal.code, exercise, str(refusal))]
    return judged(exercise, figures, points), []


def prove(points: Mapping[str, float], zoo: Path) -> dict[str, dict[str, Any]]:
    """Rows of `course check` for these exercises; see `autograder.policy_check`."""
    from autograder.policy_check import prove

    return prove(points, zoo / "policies")


def equal_weights(folders: Mapping[str, Path]) -> list[tuple[str, list[str]]]:
    """Students whose files hold equal numbers: (exercise, their names), for a TA to look at.

    Seeds follow from a student's name, so that equal weights come from one run.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for student, folder in sorted(folders.items()):
        for exercise in EXERCISES:
            try:
                state = read_policy(folder / f"{exercise}{SUFFIX}")
            except Refused:
                continue
            found.setdefault((fingerprint(state), exercise), []).append(student)
    return [(exercise, who) for (_, exercise), who in found.items() if len(who) > 1]


def fingerprint(state: Mapping[str, torch.Tensor]) -> str:
    """A hash of the numbers, whatever the header, the order and the dtype of the file were."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].half().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


_TESTS = (
    "is_a_policy_and_not_the_reference",
    "is_better_than_the_reference",
    "reaches_the_first_threshold",
    "reaches_the_second_threshold",
)


def refused(refusal: Refused, points: float) -> ExerciseResult:
    """No points, and why."""
    texts = [str(refusal)] + ["There is no valid policy."] * (len(_TESTS) - 1)
    tests = [
        TestResult(name, "failed", 1.0, text) for name, text in zip(_TESTS, texts, strict=True)
    ]
    return ExerciseResult(0.0, points, tests)


def judged(exercise: str, figures: Figures, points: float) -> ExerciseResult:
    """Four tests of equal weight; the figures are ours and may be shown."""
    measured = (
        f"J - J(reference) is {figures.gain:.3f} ± {1.96 * figures.gain_se:.3f} at beta {BETA}; "
        f"reward {figures.reward:.2f}, KL {figures.kl:.2f}."
    )
    low, high = THRESHOLDS[exercise]
    checks = (
        (True, ""),
        (figures.sure_gain > 0, "The interval has to lie above 0."),
        (figures.best_gain >= low, f"The interval has to reach {low}."),
        (figures.best_gain >= high, f"The interval has to reach {high}."),
    )
    tests = [
        TestResult(name, "passed", 1.0)
        if good
        else TestResult(name, "failed", 1.0, f"{measured} {wanted}")
        for name, (good, wanted) in zip(_TESTS, checks, strict=True)
    ]
    won = sum(test.outcome == "passed" for test in tests)
    return ExerciseResult(points * won / len(tests), points, tests)


# --- reading ------------------------------------------------------------------------------


def read_policy(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file, in float32, checked against the reference's architecture.

    Raises:
        Refused: whatever is wrong with the file, by name.
    """
    state = _tensors(_bytes(path))
    wanted = untied_state(_reference())
    twin = state.pop("lm_head.weight", None)
    if twin is not None:
        _check_twin(twin, state)
    if set(state) != set(wanted):
        raise Refused(
            "policy-names", "The names of the tensors are not those of the reference model."
        )
    for name, tensor in state.items():
        if tensor.shape != wanted[name].shape:
            raise Refused(
                "policy-shape", f"The tensor {name} has another shape than the reference."
            )
        if tensor.dtype not in DTYPES:
            raise Refused("policy-dtype", f"The tensor {name} is not float16, bfloat16 or float32.")
        wide = tensor.float()
        if not bool(wide.isfinite().all()):
            raise Refused("policy-not-finite", f"The tensor {name} holds NaN or infinity.")
        if float(wide.abs().max()) > MAX_WEIGHT:
            raise Refused(
                "policy-too-large", f"The tensor {name} holds numbers above {MAX_WEIGHT:g}."
            )
        state[name] = wide
    if all(torch.equal(state[name].half(), wanted[name].half()) for name in state):
        raise Refused("policy-reference", "These are the weights of the reference itself.")
    return state


def _check_twin(twin: torch.Tensor, state: Mapping[str, torch.Tensor]) -> None:
    """A tied output layer may be written a second time, with the same numbers."""
    embedding = state.get("model.embed_tokens.weight")
    if embedding is None or twin.shape != embedding.shape or not torch.equal(twin, embedding):
        raise Refused("policy-untied", "lm_head.weight is not the embedding: the model is tied.")


def _bytes(path: Path) -> bytes:
    """The content of an ordinary file of moderate size; neither it nor its folder is a link."""
    try:
        descriptor = _open(path)
    except FileNotFoundError:
        raise Refused("policy-missing", f"{path.name} was not handed in.") from None
    except OSError:
        raise Refused("policy-unreadable", f"{path.name} is not an ordinary file.") from None
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise Refused("policy-unreadable", f"{path.name} is not an ordinary file.")
        if facts.st_size > MAX_FILE:
            raise Refused("policy-size", f"{path.name} is larger than {MAX_FILE >> 20} MB.")
        return file.read(MAX_FILE + 1)


def _open(path: Path) -> int:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        return os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)


def _tensors(data: bytes) -> dict[str, torch.Tensor]:
    """Parse safetensors; what looks like a pickle or a zip archive is refused by name."""
    if data[:1] == b"\x80" or data[:4] == b"PK\x03\x04":
        raise Refused(
            "policy-pickle",
            "This is a pickle (torch.save), which can run code: save with models.save_policy.",
        )
    if len(data) < 8 or struct.unpack("<Q", data[:8])[0] > min(MAX_HEADER, len(data) - 8):
        raise Refused("policy-header", "The header is cut off, or larger than is allowed.")
    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError, RecursionError):
        raise Refused("policy-format", "This is not a valid safetensors file.") from None


# --- evaluation ---------------------------------------------------------------------------


@cache
def _reference() -> torch.nn.Module:
    return frozen(load_model())


@cache
def reference_fingerprint() -> str:
    """The fingerprint of the shipped reference: figures hold for one reference only."""
    return fingerprint(untied_state(_reference()))


@cache
def _judge_of_texts() -> RewardModel:
    return RewardModel.load()


@dataclass(frozen=True)
class _Samples:
    """[B] figures of one policy, per prompt."""

    rewards: torch.Tensor
    kl: torch.Tensor


def evaluate(state: Mapping[str, torch.Tensor], limit: int | None = None) -> Figures:
    """Judge a policy against the reference, prompt by prompt, with the same luck for both.

    Args:
        state: what `read_policy` returned.
        limit: use only so many prompts.

    Raises:
        Refused: the policy's distributions are not finite, or it is the reference in disguise.
    """
    policy = copy_of(_reference())
    policy.load_state_dict(dict(state), strict=False)
    frozen(policy)
    own, base = _samples(policy, limit), _baseline(limit)
    kl = float(own.kl.mean())
    if not bool(own.kl.isfinite().all()):
        raise Refused("policy-not-finite", "The policy's probabilities are not finite.")
    if kl < LEAST_KL:
        raise Refused("policy-reference", "This policy hardly differs from the reference.")
    values = own.rewards - BETA * own.kl
    gains = values - base.rewards
    wins = (own.rewards > base.rewards).double() + 0.5 * (own.rewards == base.rewards).double()
    return Figures(
        reward=float(own.rewards.mean()),
        kl=kl,
        J=float(values.mean()),
        J_se=_error(values),
        gain=float(gains.mean()),
        gain_se=_error(gains),
        win_rate=float(wins.mean()),
    )


def _error(values: torch.Tensor) -> float:
    """Standard error of the mean over prompts; completions of one prompt go together."""
    per_prompt = values.view(len(SEEDS), -1).mean(0)
    return float(per_prompt.std() / len(per_prompt) ** 0.5)


@cache
def _baseline(limit: int | None) -> _Samples:
    return _samples(_reference(), limit)


@torch.no_grad()
def _samples(policy: torch.nn.Module, limit: int | None) -> _Samples:
    prompts = load_prompts("evaluation")[:limit]
    rewards, divergences = [], []
    tokenizer = load_tokenizer()
    for seed in SEEDS:
        drawn = sample(policy, prompts, draw_luck(len(prompts), seed))
        rewards.append(_judge_of_texts().rewards(texts_of(tokenizer, drawn)).double())
        divergences.append(_divergences(policy, drawn))
    return _Samples(torch.cat(rewards), torch.cat(divergences))


def _divergences(policy: torch.nn.Module, drawn: Completions) -> torch.Tensor:
    """[B] sum over the tokens of a completion of the exact KL(policy || reference) there."""
    found = []
    for ids, attention, counted in zip(*(each.split(128) for each in drawn.tensors()), strict=True):
        logps, ref_logps = (
            model(input_ids=ids, attention_mask=attention).logits.log_softmax(-1)
            for model in (policy, _reference())
        )
        terms = torch.nn.functional.kl_div(ref_logps, logps, reduction="none", log_target=True)
        steps = terms.sum(-1)[:, :-1].double()
        found.append(torch.where(counted[:, 1:].bool(), steps, 0.0).sum(1))
    return torch.cat(found)

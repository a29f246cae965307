"""Proves on files that policies handed in get the points they deserve: part of `course check`.

`zoo/project/policies/copg.safetensors` is a policy of the course's own runs. All other files are
made from it here: written in other ways, which must cost nothing; damaged; moved back towards the
reference or beyond it, which must cost the points of the tests that such a policy fails.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from autograder import project
from autograder.results import ExerciseResult
from sft2rl.models import load_model, untied_state

State = dict[str, torch.Tensor]
NORM, EMBEDDING, TWIN = "model.norm.weight", "model.embed_tokens.weight", "lm_head.weight"


def prove(points: Mapping[str, float], policies: Path) -> dict[str, dict[str, Any]]:
    """Rows of the report of `course check`, one per policy exercise.

    Args:
        points: of the exercises to prove.
        policies: the folder with the course's own policy.
    """
    rows: dict[str, dict[str, Any]] = {
        name: {"points": value, "reference": 0.0, "stub": None, "mutants": {}, "rewrites": {},
               "messages": {}, "problems": []}
        for name, value in points.items()
    }  # fmt: skip
    known: dict[str, project.Figures] = {}
    killed: dict[str, set[str]] = {name: set() for name in points}
    for kind, name, phrase, write in _files(policies / "copg.safetensors"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "policy.safetensors")
            write(path)
            found = _measured(path, known)
        for exercise, row in rows.items():
            if isinstance(found, project.Refused):
                result = project.refused(found, row["points"])
            else:
                result = project.judged(exercise, found, row["points"])
            _note(kind, name, phrase, result, row)
            if kind == "mutant":
                killed[exercise] |= {t.name for t in result.tests if t.outcome == "failed"}
    for exercise, row in rows.items():
        for test in sorted({each.name for each in result.tests} - killed[exercise]):
            row["problems"].append(f"no mutant fails {test}")
    return rows


def _measured(path: Path, known: dict[str, project.Figures]) -> project.Figures | project.Refused:
    """The figures of a file, or why there are none; equal weights are evaluated once."""
    try:
        state = project.read_policy(path)
        weights = project.fingerprint(state)
        if weights not in known:
            known[weights] = project.evaluate(state)
        return known[weights]
    except project.Refused as refusal:
        return refusal


def _note(kind: str, name: str, phrase: str, result: ExerciseResult, row: dict[str, Any]) -> None:
    """Enter one result into an exercise's row, with what is wrong with it."""
    score = result.score or 0.0
    text = " ".join(test.text for test in result.tests if test.text)
    full = score == row["points"]
    if kind in ("reference", "stub"):
        row[kind] = score
        if (kind == "reference") != full or (kind == "stub" and score):
            row["problems"].append(f"the {kind} scores {score:g}: {text}")
        return
    row[kind + "s"][name] = score
    if kind == "rewrite":
        if not full:
            row["problems"].append(f"rewrite {name} loses: {text}")
        return
    row["messages"][name] = text
    if full:
        row["problems"].append(f"mutant {name} keeps full marks")
    elif phrase not in text:
        row["problems"].append(f"mutant {name}: no message says {phrase!r}, but: {text}")


def _files(good: Path) -> Iterator[tuple[str, str, str, Callable[[Path], object]]]:
    """(kind, name, what a message must say, how to write the file)."""
    state = {name: tensor.float() for name, tensor in load_file(good).items()}
    start = untied_state(load_model())

    def tensors(change: Callable[[State], object]) -> Callable[[Path], object]:
        def write(path: Path) -> None:
            changed = {name: tensor.clone() for name, tensor in state.items()}
            change(changed)
            save_file(changed, path)

        return write

    def moved(share: float) -> Callable[[Path], object]:
        """The policy on the line from the reference (0) through the trained one (1)."""
        return tensors(
            lambda s: s.update({k: start[k] + share * (v - start[k]) for k, v in s.items()})
        )

    def all_in(dtype: torch.dtype) -> Callable[[State], object]:
        return lambda s: s.update({k: v.to(dtype) for k, v in s.items()})

    yield "reference", "", "", lambda path: path.write_bytes(good.read_bytes())
    yield "stub", "", "", lambda path: None
    yield "rewrite", "float32", "", tensors(lambda s: None)
    yield "rewrite", "bfloat16", "", tensors(all_in(torch.bfloat16))
    yield "rewrite", "twin_written_out", "", tensors(lambda s: s.update({TWIN: s[EMBEDDING] * 1}))
    yield "mutant", "reference_handed_back", "the reference itself", moved(0.0)
    yield "mutant", "hardly_moved", "hardly differs", moved(0.01)
    yield "mutant", "too_short_a_run", "has to reach", moved(0.2)
    yield "mutant", "wrong_direction", "above 0", moved(-0.5)
    yield "mutant", "not_finite", "NaN", tensors(lambda s: s[NORM].fill_(float("nan")))
    yield (
        "mutant",
        "another_model",
        "another shape",
        tensors(lambda s: s.update({NORM: s[NORM][:64].clone()})),
    )
    yield "mutant", "a_tensor_missing", "names of the tensors", tensors(lambda s: s.pop(NORM))
    yield (
        "mutant",
        "cut_off",
        "valid safetensors",
        lambda path: path.write_bytes(good.read_bytes()[:-100]),
    )
    yield "mutant", "pickle", "pickle", lambda path: torch.save(state, path)
    yield (
        "mutant",
        "lying_header",
        "header",
        lambda path: path.write_bytes((2**40).to_bytes(8, "little") + json.dumps({}).encode()),
    )

"""Policies handed in: what is refused, by which name, and what the figures mean."""

import json
import os
import struct

import pytest
import torch
from safetensors.torch import load_file, save_file

from autograder import project
from autograder.project import Figures, Refused, equal_weights, read_policy, score_artefact
from sft2rl.models import load_model, load_policy, save_policy, untied_state

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def reference():
    return load_model()


@pytest.fixture
def changed(reference):
    """The reference's tensors, a little warmer: another policy of the same architecture."""
    state = {name: tensor.clone() for name, tensor in untied_state(reference).items()}
    state["model.norm.weight"] *= 1.1
    return state


def _save(state, path):
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
    return path


def _code(path) -> str:
    with pytest.raises(Refused) as caught:
        read_policy(path)
    return caught.value.code


def test_a_policy_survives_saving_and_loading(reference, tmp_path):
    path = save_policy(reference, tmp_path / "policy.safetensors", method="none")
    again = load_policy(path, reference)
    ids = torch.tensor([[2, 300, 301, 302]])
    assert torch.allclose(again(ids).logits, reference(ids).logits, atol=2e-2)
    assert "lm_head.weight" not in load_file(path)


def test_good_files_are_read_in_every_dtype(changed, tmp_path):
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        path = _save(
            {k: v.to(dtype) for k, v in changed.items()}, tmp_path / f"{dtype}.safetensors"
        )
        assert all(tensor.dtype == torch.float32 for tensor in read_policy(path).values())


def test_the_reference_handed_back_is_refused(reference, tmp_path):
    assert _code(save_policy(reference, tmp_path / "p.safetensors")) == "policy-reference"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda s: s.pop("model.norm.weight"), "policy-names"),
        (lambda s: s.update(extra=torch.zeros(1)), "policy-names"),
        (lambda s: s.update({"model.norm.weight": torch.ones(64)}), "policy-shape"),
        (lambda s: s["model.norm.weight"].fill_(float("nan")), "policy-not-finite"),
        (lambda s: s["model.norm.weight"].fill_(float("inf")), "policy-not-finite"),
        (lambda s: s["model.norm.weight"].fill_(1e6), "policy-too-large"),
        (lambda s: s.update({"model.norm.weight": torch.ones(128).long()}), "policy-dtype"),
        (lambda s: s.update({"lm_head.weight": torch.zeros(4096, 128)}), "policy-untied"),
    ],
)
def test_broken_tensors_are_named(changed, tmp_path, change, code):
    change(changed)
    assert _code(_save(changed, tmp_path / "p.safetensors")) == code


def test_a_pickle_in_disguise_is_refused_unread(changed, tmp_path):
    path = tmp_path / "p.safetensors"
    torch.save(changed, path)
    assert _code(path) == "policy-pickle"
    torch.save(changed, path, _use_new_zipfile_serialization=False)
    assert _code(path) == "policy-pickle"


def test_hostile_headers_are_refused(tmp_path):
    path = tmp_path / "p.safetensors"
    for size, body in ((2**63, b"{}"), (project.MAX_HEADER + 1, b" " * 70_000), (100, b"{}")):
        path.write_bytes(struct.pack("<Q", size) + body)
        assert _code(path) == "policy-header"
    for header in (
        "[1]",
        "{",
        json.dumps({"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 4]}}),
    ):
        path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + b"1234")
        assert _code(path) == "policy-format"
    path.write_bytes(b"")
    assert _code(path) == "policy-header"


def test_only_ordinary_files_of_moderate_size(changed, tmp_path):
    assert _code(tmp_path / "nothing.safetensors") == "policy-missing"
    real = _save(changed, tmp_path / "real.safetensors")
    os.symlink(real, tmp_path / "link.safetensors")
    assert _code(tmp_path / "link.safetensors") == "policy-unreadable"
    os.mkfifo(tmp_path / "pipe.safetensors")
    assert _code(tmp_path / "pipe.safetensors") == "policy-unreadable"
    with open(tmp_path / "big.safetensors", "wb") as file:
        file.truncate(project.MAX_FILE + 1)
    assert _code(tmp_path / "big.safetensors") == "policy-size"


def test_a_twin_of_the_embedding_is_accepted(changed, tmp_path):
    changed["lm_head.weight"] = changed["model.embed_tokens.weight"].clone()
    assert "lm_head.weight" not in read_policy(_save(changed, tmp_path / "p.safetensors"))


@pytest.mark.parametrize("exercise", project.EXERCISES)
def test_an_empty_folder_scores_zero_with_a_name(tmp_path, exercise):
    for folder in (tmp_path, tmp_path / "nowhere"):
        result, incidents = score_artefact(exercise, folder, points=8)
        assert (result.score, result.max_score) == (0.0, 8)
        assert [(each.code, each.exercise) for each in incidents] == [("policy-missing", exercise)]


def test_a_folder_that_is_a_link_is_not_followed(changed, tmp_path):
    _save(changed, tmp_path / "policy_pg.safetensors")
    os.symlink(tmp_path, tmp_path / "link")
    assert _code(tmp_path / "link" / "policy_pg.safetensors") == "policy-unreadable"


def test_a_damaged_file_costs_only_its_own_exercise(changed, tmp_path, monkeypatch):
    figures = Figures(1.0, 1.0, 0.8, 0.01, 0.8, 0.01, 0.9)
    monkeypatch.setattr(project, "evaluate", lambda state: figures)
    _save(changed, tmp_path / "policy_pg.safetensors")
    (tmp_path / "policy_dpo.safetensors").write_bytes(b"rubbish")
    scores = {name: score_artefact(name, tmp_path, 8)[0].score for name in project.EXERCISES}
    assert scores == {"policy_dpo": 0.0, "policy_pg": 8.0, "policy_copg": 0.0}


def test_figures_follow_from_the_samples(changed, reference, tmp_path):
    state = read_policy(_save(changed, tmp_path / "p.safetensors"))
    figures = project.evaluate(state, limit=40)
    assert pytest.approx(figures.reward - project.BETA * figures.kl) == figures.J
    assert figures.kl > project.LEAST_KL
    assert figures.gain_se > 0
    base = project._baseline(40)
    assert figures.gain == pytest.approx(figures.J - float(base.rewards.mean()))
    assert float(base.kl.abs().max()) < 1e-6


def test_the_reference_with_other_digits_is_recognised(reference, tmp_path):
    state = {name: tensor * 1.002 for name, tensor in untied_state(reference).items()}
    read = read_policy(_save(state, tmp_path / "p.safetensors"))
    with pytest.raises(Refused, match="hardly differs"):
        project.evaluate(read, limit=20)


def test_points_follow_from_the_interval():
    low, high = project.THRESHOLDS["policy_copg"]

    def points(gain, error):
        figures = Figures(0.0, 1.0, gain, error, gain, error, 0.5)
        return project.judged("policy_copg", figures, points=8).score

    assert points(high + 0.01, 0.01) == 8
    assert points(high - 0.01, 0.01) == 8
    assert points(high - 0.05, 0.01) == (6 if high - 0.05 + 0.0196 >= low else 4)
    assert points(0.01, 0.02) == 2
    assert points(-1.0, 0.02) == 2


def test_equal_weights_are_found_whatever_the_file_looks_like(changed, tmp_path):
    folders = {}
    for student, dtype in (("ada", torch.float16), ("bob", torch.float32), ("eve", torch.float16)):
        folders[student] = tmp_path / student
        folders[student].mkdir()
        state = {k: v.half().to(dtype) for k, v in changed.items()}
        if student == "eve":
            state["model.norm.weight"] = state["model.norm.weight"] * 1.5
        _save(state, folders[student] / "policy_pg.safetensors")
    assert equal_weights(folders) == [("policy_pg", ["ada", "bob"])]

"""The project outside the notebook: sampling, resuming, and one process against two."""

import html
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from autograder.build import parse_source
from autograder.config import find_assignment
from sft2rl import models, project_results, reward, sampling, sweep, train, widgets_project
from sft2rl.enumerable import EnumerableTask
from sft2rl.models import REFERENCE, TabularLM, copy_of, load_model, load_tokenizer, seed_of
from sft2rl.schedule import batch_rows, lr_factor
from sft2rl.textdata import load_fixture

ROOT = Path(__file__).parents[1]
LOSSES = ROOT / "solutions" / "project" / "project.py"

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def functions():
    return train.load_functions(LOSSES)


@pytest.fixture(scope="module")
def reference():
    return load_model()


# sampling


def test_samples_follow_the_conventions(reference):
    prompts = sampling.load_prompts("evaluation")[:32]
    drawn = sampling.sample(reference, prompts, sampling.draw_luck(32, seed=0))
    assert drawn.input_ids.shape == (32, 20)
    assert torch.equal(drawn.input_ids[:, :4], prompts)
    assert not drawn.completion_mask[:, :4].any()
    assert bool(drawn.completion_mask[:, 4].all())
    for ids, mask in zip(drawn.input_ids[:, 4:], drawn.completion_mask[:, 4:], strict=True):
        ends = (ids == 1).nonzero().flatten()
        length = int(ends[0]) + 1 if len(ends) else 16
        assert mask.tolist() == [1] * length + [0] * (16 - length)
        assert not ids[length:].any()


def test_the_same_luck_gives_the_same_text_in_any_batch(reference):
    prompts, luck = sampling.load_prompts("evaluation")[:9], sampling.draw_luck(9, seed=3)
    whole = sampling.sample(reference, prompts, luck)
    parts = sampling.sample(reference, prompts, luck, batch_size=4)
    assert torch.equal(whole.input_ids, parts.input_ids)


def test_own_policies_are_read_beside_those_of_the_course(reference, tmp_path, monkeypatch):
    """The notebook's cell, in a folder with one trained policy, and with the widget it shows."""
    notebook = parse_source(find_assignment("project"))
    (cell,) = [each.source for each in notebook.cells if "side_by_side" in each.source]
    own = copy_of(reference)
    with torch.no_grad():
        for weights in own.parameters():
            weights.mul_(1.1)
    models.save_policy(own, tmp_path / "policy_copg.safetensors")
    monkeypatch.chdir(tmp_path)
    shown = []
    monkeypatch.setattr(widgets_project, "display", shown.append)
    results, tokenizer = project_results.load(), load_tokenizer()
    names = {
        "Path": Path, "judge": reward.RewardModel.load(), "models": models, "results": results,
        "reference": reference, "sampling": sampling, "tokenizer": tokenizer,
        "widgets": widgets_project,
    }  # fmt: skip
    exec(cell, names)
    texts = names["written"]
    assert list(texts) == [*results.texts, "your policy_copg"]
    assert sampling.shown_texts(reference, tokenizer) == results.texts["reference"]
    assert texts["your policy_copg"] != results.texts["reference"]
    starts = zip(texts["your policy_copg"], results.prompts, strict=True)
    assert all(text.startswith(prompt) for text, prompt in starts)
    ((choice, view),) = [each.children for each in shown]
    choice.value = 5
    assert "<b>your policy_copg</b>" in view.value
    assert html.escape(texts["your policy_copg"][5]) in view.value


def test_samples_have_the_model_s_frequencies():
    class Fixed(torch.nn.Module):
        def forward(self, input_ids, past_key_values=None, use_cache=True):
            logits = torch.tensor([0.0, 0.2, 0.3, 0.5]).log().expand(len(input_ids), 1, 4)
            return type("Output", (), {"logits": logits, "past_key_values": None})

    drawn = sampling.sample(Fixed(), torch.full((20_000, 1), 2), sampling.draw_luck(20_000, 0, 1))
    counts = torch.bincount(drawn.input_ids[:, 1], minlength=4) / 20_000
    assert counts[0] == 0
    assert torch.allclose(counts, torch.tensor([0.0, 0.2, 0.3, 0.5]), atol=0.02)


def test_judging_in_chunks_changes_no_figure_and_bounds_the_memory(functions, reference):
    policy = copy_of(reference)
    with torch.no_grad():
        policy.model.norm.weight.mul_(1.2)
    drawn = sampling.sample(
        policy, sampling.load_prompts("evaluation")[:65], sampling.draw_luck(65, seed=0)
    )
    rewards = torch.randn(2, 65, generator=torch.Generator().manual_seed(0))
    sizes = []

    def noted(policy, reference, input_ids, *rest):
        sizes.append(len(input_ids))
        return functions.evaluate_policy(policy, reference, input_ids, *rest)

    whole = functions.evaluate_policy(policy, reference, *drawn.tensors(), *rewards, 0.2)
    joined = sampling.judge_in_chunks(noted, policy, reference, drawn, *rewards, 0.2)
    assert joined == pytest.approx(whole, rel=1e-4)
    assert sizes == [33, 32]


def test_another_tokenizer_gets_the_same_openings():
    letters = pre_tokenizers.ByteLevel.alphabet()
    vocab = {token: i for i, token in enumerate(["<s>", "</s>", *sorted(letters)])}
    raw = Tokenizer(BPE(vocab, []))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    other = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>")
    prompts = sampling.prompts_for(other, "evaluation")
    own = load_tokenizer()
    stored = sampling.load_prompts("evaluation")
    assert torch.equal(sampling.prompts_for(own, "evaluation"), stored)
    assert prompts.shape[1] == 4
    assert bool((prompts[:, 0] == 0).all())
    texts = [text.strip() for text in own.batch_decode(stored, skip_special_tokens=True)]
    starts = [text[:3] for text in texts if len(text.encode()) >= 3]
    got = other.batch_decode(prompts, skip_special_tokens=True)
    assert got[:50] == starts[:50]
    assert sampling.ends_of(own) == {"eos_token_id": 1, "pad_token_id": 0}
    assert sampling.ends_of(other) == {"eos_token_id": 1, "pad_token_id": 1}


# the small parts


def test_an_epoch_shows_every_row_once():
    rows = torch.cat([batch_rows(10, 3, step, seed=1) for step in range(3)])
    assert len(set(rows.tolist())) == 9
    assert not torch.equal(batch_rows(10, 3, 0, 1), batch_rows(10, 3, 3, 1))
    with pytest.raises(ValueError, match="a batch of 5"):
        batch_rows(4, 5, 0, 0)


def test_the_learning_rate_rises_and_falls():
    factors = [lr_factor(step, 100) for step in range(100)]
    assert factors[9] == factors[10] == max(factors) == 1.0
    assert factors[-1] == pytest.approx(0.11)


def test_seeds_belong_to_a_student_and_a_purpose():
    seeds = {seed_of(who, what) for who in ("ada", "bob") for what in ("pairs", "votes")}
    assert len(seeds) == 4
    assert seed_of("ada", "pairs") in seeds


def test_the_listed_task_adds_up():
    task = EnumerableTask(seed=2)
    assert float(task.probabilities(task.reference).sum()) == pytest.approx(1.0)
    assert task.regret(task.reference) > 0.05
    best = task.policy()
    values = task.reference.table.clone()
    tilted = (task.probabilities(task.reference).log() + task.rewards / task.beta).softmax(0)
    for completion in task.completions:
        prefix = [0, *completion]
        for place in range(len(completion)):
            index = int(best.prefix_rows(torch.tensor([prefix[: place + 1]]))[0, -1])
            if not torch.equal(values[index], task.reference.table[index]):
                continue
            below = [
                sum(p for y, p in zip(task.completions, tilted.tolist(), strict=True)
                    if y[: place + 1] == (*completion[:place], token))
                for token in range(task.vocab_size)
            ]  # fmt: skip
            values[index] = torch.tensor(below, dtype=torch.float64).log()
    best.table.data = values
    assert task.regret(best) == pytest.approx(0.0, abs=1e-12)


def test_a_table_ignores_what_is_masked():
    model = TabularLM(3, 4)
    model.table.data.normal_(generator=torch.Generator().manual_seed(0))
    plain = model(torch.tensor([[1, 2]])).logits[:, -1]
    masked = model(torch.tensor([[0, 1, 2]]), torch.tensor([[0, 1, 1]])).logits[:, -1]
    assert torch.equal(plain, masked)


def test_the_reward_model_learns_from_the_fixture(functions):
    snippets = load_fixture()
    model = reward.RewardModel.for_snippets(snippets, min_count=2)
    votes = reward.draw_comparisons(snippets, 4096, torch.Generator().manual_seed(0))
    losses = reward.fit(model, votes, functions.reward_model_loss, batch_size=256, lr=0.1)
    assert losses[-1] < 0.75 * losses[0]
    means = torch.tensor([each.mean for each in snippets])
    scores = model.rewards([each.text for each in snippets])
    assert reward.pairwise_accuracy(scores, means, gap=2) > 0.9
    text = "a wonderful , warm film"
    shares = sum(share for _, share in model.explain(text))
    assert shares == pytest.approx(float(model.rewards([text])[0]), abs=1e-5)


def test_the_shipped_judges_agree_on_the_obvious():
    texts = ["a warm and wonderful film.", "a dull, boring mess."]
    good, bad = reward.RewardModel.load().rewards(texts)
    assert good > 1 > -1 > bad
    pytest.importorskip("vaderSentiment")
    first, second = reward.vader(texts)
    assert first > 0 > second


# whole runs


def _settings(**changed) -> train.Settings:
    small = {"steps": 4, "batch_size": 8, "num_prompts": 16, "lr": 1e-3}
    return train.Settings(**{"method": "copg", **small, **changed})


def _run(settings, functions, folder, reference, **options):
    judge = reward.RewardModel.load().rewards
    prompts = sampling.load_prompts("train")
    return train.train(
        settings, functions, folder, reference, load_tokenizer(), judge, prompts, **options
    )


@pytest.mark.parametrize("method", train.METHODS)
def test_every_method_moves_the_policy(method, functions, reference, tmp_path):
    run = _run(_settings(method=method, steps=2), functions, tmp_path, reference)
    assert run.step == len(run.losses) == 2
    saved = load_file(tmp_path / "policy.safetensors")
    before = dict(reference.named_parameters())
    assert any(not torch.equal(saved[name].float(), before[name]) for name in saved)


def test_an_interrupted_run_ends_exactly_like_an_uninterrupted_one(
    functions, reference, tmp_path, monkeypatch
):
    whole = _run(_settings(), functions, tmp_path / "a", reference)

    class Interrupt(Exception):
        pass

    def stop(step, loss):
        if step == 2:
            raise Interrupt

    with pytest.raises(Interrupt):
        _run(_settings(), functions, tmp_path / "b", reference, log=stop, save_every=2)
    rest = _run(_settings(), functions, tmp_path / "b", reference, save_every=2)
    assert rest.losses == whole.losses
    for name, tensor in whole.policy.state_dict().items():
        assert torch.equal(tensor, rest.policy.state_dict()[name])


def test_a_checkpoint_of_other_settings_is_not_continued(functions, reference, tmp_path):
    _run(_settings(steps=1), functions, tmp_path, reference)
    with pytest.raises(ValueError, match="other settings"):
        _run(_settings(steps=1, beta=0.7), functions, tmp_path, reference)


def test_copg_and_dpo_do_not_see_a_shift_of_the_rewards(functions, reference, tmp_path):
    def weights(method, shift):
        run = train.Run(_settings(method=method, shift=shift), functions, copy_of(reference))
        pairs = train.ensure_pairs(
            tmp_path / "pairs.safetensors", run.settings, functions, run.reference,
            load_tokenizer(), reward.RewardModel.load().rewards,
            sampling.load_prompts("train")[:16],
        )  # fmt: skip
        pairs["rewards"] = (pairs["rewards"] * 64).round() / 64
        loss_of = run.offline(pairs, None)
        for step in range(2):
            run.advance(loss_of, batch_rows(16, 8, step, 0))
        return run.policy.state_dict()

    for method, same in (("copg", True), ("dpo", True), ("pg", False)):
        plain, shifted = weights(method, 0.0), weights(method, 2.0)
        assert all(torch.equal(plain[k], shifted[k]) for k in plain) is same


def test_a_file_without_the_losses_is_refused(tmp_path):
    (tmp_path / "losses.py").write_text("def pg_loss():\n    pass\nraise SystemExit\n")
    with pytest.raises(ValueError, match="completion_logps, offline_loss, evaluate_policy"):
        train.load_functions(tmp_path / "losses.py")


def test_losses_come_from_a_notebook_without_running_it(tmp_path):
    names = ", ".join(train.NEEDED)
    source = "".join(f"def {name}(): pass\n" for name in train.NEEDED)
    cells = [
        {"cell_type": "code", "source": ["%matplotlib inline\n", "!rm -r things\n", "A = 3\n"]},
        {"cell_type": "code", "source": [source, "\n1 / 0\n"]},
    ]
    path = tmp_path / "project.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    module = train.load_functions(path)
    assert module.A == 3
    assert all(hasattr(module, name) for name in names.split(", "))


def test_a_sweep_compares_with_another_reference_and_other_settings(tmp_path, monkeypatch, capsys):
    prompts = {
        name: sampling.load_prompts(name)[:n] for name, n in (("train", 16), ("evaluation", 4))
    }
    shutil.copytree(REFERENCE, tmp_path / "model")
    save_file(prompts, tmp_path / "model" / "prompts.safetensors")
    plan = [(name, _settings(method=name, steps=1)) for name in ("sft", "copg")]
    monkeypatch.setattr(sweep, "planned", lambda seeds, few: plan)
    monkeypatch.setattr(
        sys, "argv",
        ["sweep", "--losses", str(LOSSES), "--runs", str(tmp_path / "runs"),
         "--model", str(tmp_path / "model"), "--only", "sft",
         "--lr", "2e-4", "--pairs-per-prompt", "1"],
    )  # fmt: skip
    sweep.main()
    assert "sft" in capsys.readouterr().out
    results = project_results.load(tmp_path / "runs" / "results.json")
    assert [(run["name"], run["lr"]) for run in results.runs] == [("sft", 2e-4)]
    pairs = sampling.load_pairs(tmp_path / "runs" / "pairs.seed0.safetensors")
    assert torch.equal(pairs["input_ids"][:, 0, :4], prompts["train"])
    assert len(results.prompts) == 4
    assert results.optimum["J"] > results.reference["J"]


def test_two_processes_end_where_one_does(tmp_path):
    command = ["--method", "copg", "--losses", str(LOSSES), "--steps", "3", "--batch-size", "6"]
    command += ["--num-prompts", "16", "--lr", "1e-3"]
    pairs = ["--pairs", str(tmp_path / "pairs.safetensors")]
    launches = ([], ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"])
    for count, launch in enumerate(launches, 1):
        subprocess.run(
            [sys.executable, *launch, "-m", "sft2rl.train", *command, *pairs,
             "--to", str(tmp_path / str(count)), "--no-evaluation"],
            check=True, capture_output=True, timeout=240,
        )  # fmt: skip
    one, two = (load_file(tmp_path / str(n) / "checkpoint.safetensors") for n in (1, 2))
    start = dict(load_model().state_dict())
    for name in one:
        if name.startswith("model."):
            moved = (one[name] - start[name.removeprefix("model.")]).abs().max()
            assert (one[name] - two[name]).abs().max() <= 0.02 * moved + 1e-7

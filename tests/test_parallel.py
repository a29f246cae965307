"""Gloo processes of the notebook of assignment 06."""

import psutil
import pytest
import torch

from sft2rl.parallel import FORKS, TinyLM, collate, gloo_all_reduce, loss_sum, run

pytestmark = pytest.mark.skipif(not FORKS, reason="processes are forked on Linux only")


def test_processes_share_a_weighted_mean_and_their_output_is_shown(capsys):
    def mean(rank, numbers, weights):
        print("hello")
        return gloo_all_reduce([torch.tensor(numbers[rank])], [weights[rank]]).item()

    assert run(2, mean, [7.0, 1.0], [7, 1]) == [6.25, 6.25]
    assert sorted(capsys.readouterr().out.splitlines()) == ["[rank 0] hello", "[rank 1] hello"]


def test_the_failure_of_one_process_ends_all():
    def fails(rank):
        if rank == 1:
            raise ValueError("reason")
        gloo_all_reduce([torch.ones(3)])

    before = set(psutil.Process().children())
    with pytest.raises(RuntimeError, match="rank 1: ValueError: reason"):
        run(2, fails)
    assert set(psutil.Process().children()) <= before


def test_a_process_that_makes_one_call_more_is_not_waited_for_forever():
    def uneven(rank):
        for _ in range(1 + rank):
            gloo_all_reduce([torch.ones(3)])

    with pytest.raises(RuntimeError, match="rank 1"):
        run(2, uneven)


def test_an_expert_without_tokens_has_no_gradient():
    model = TinyLM(128, 4)
    total, count = loss_sum(model, collate(["bdf", "b"]))  # even ids only
    total.backward()
    assert count == 2 and model.experts[0].weight.grad is not None
    assert model.experts[1].weight.grad is None


def test_a_process_that_leaves_at_once_does_not_disturb_one_that_still_joins():
    for _ in range(40):
        assert run(2, lambda rank: rank) == [0, 1]

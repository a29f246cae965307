"""A task so small that every completion can be listed: the truth is a sum, not an estimate."""

from __future__ import annotations

import itertools

import torch

from sft2rl.models import TabularLM
from sft2rl.sampling import Completions, Pairs

START, EOS = 0, 1


class EnumerableTask:
    """One prompt, completions of at most `length` tokens, a reward for each of them.

    Token 0 starts the sequence and is never drawn, token 1 ends it; the others are words.

    Args:
        vocab_size: number of tokens, those two included.
        length: most tokens in a completion.
        beta: strength of the KL regularisation.
        seed: of the rewards and of the reference policy.
    """

    def __init__(
        self, vocab_size: int = 4, length: int = 3, beta: float = 0.5, seed: int = 0
    ) -> None:
        self.vocab_size, self.length, self.beta = vocab_size, length, beta
        words = range(2, vocab_size)
        ended = [(*y, EOS) for n in range(length) for y in itertools.product(words, repeat=n)]
        full = list(itertools.product(words, repeat=length))
        self.completions = ended + full
        self.data = self._tensors()
        generator = torch.Generator().manual_seed(seed)
        count = len(self.completions)
        self.rewards = 3 * torch.rand(count, generator=generator, dtype=torch.float64)
        self.reference = self.new_model()
        noise = torch.randn(self.reference.table.shape, generator=generator, dtype=torch.float64)
        self.reference.table.data += 0.5 * noise
        self.reference.requires_grad_(False)

    def new_model(self) -> TabularLM:
        """A table of zeros, except that the start token is impossible."""
        model = TabularLM(self.vocab_size, self.length + 1)
        model.table.data[:, START] = -float("inf")
        return model

    def policy(self) -> TabularLM:
        """A trainable copy of the reference."""
        model = self.new_model()
        model.load_state_dict(self.reference.state_dict())
        return model

    @torch.no_grad()
    def probabilities(self, model: torch.nn.Module) -> torch.Tensor:
        """[Y] probability of every completion, by multiplying along each of them."""
        logits = model(self.data.input_ids, self.data.attention_mask).logits
        steps = logits.softmax(-1)
        result = torch.ones(len(self.completions), dtype=torch.float64)
        for row, completion in enumerate(self.completions):
            for place, token in enumerate(completion):
                result[row] *= steps[row, place, token]
        return result

    @property
    def optimal_value(self) -> float:
        """The largest possible J, beta ln Z."""
        ref = self.probabilities(self.reference)
        return float(self.beta * ((self.rewards / self.beta).exp() * ref).sum().log())

    def regret(self, model: torch.nn.Module) -> float:
        """How far J of a model is below the largest possible one."""
        pi, ref = self.probabilities(model), self.probabilities(self.reference)
        value = (pi * self.rewards).sum() - self.beta * torch.special.xlogy(pi, pi / ref).sum()
        return self.optimal_value - float(value)

    def pairs(self, count: int, seed: int) -> Pairs:
        """`count` pairs of completions of the reference, in the format of `sample_pairs`."""
        ref = self.probabilities(self.reference)
        generator = torch.Generator().manual_seed(seed)
        rows = torch.multinomial(ref, 2 * count, replacement=True, generator=generator)
        found = {
            "input_ids": self.data.input_ids[rows],
            "attention_mask": self.data.attention_mask[rows],
            "completion_mask": self.data.completion_mask[rows],
            "ref_logps": ref.log()[rows],
            "rewards": self.rewards[rows],
        }
        return {name: tensor.unflatten(0, (-1, 2)) for name, tensor in found.items()}

    def _tensors(self) -> Completions:
        width = self.length + 1
        input_ids = torch.zeros(len(self.completions), width, dtype=torch.long)
        mask = torch.zeros_like(input_ids)
        for row, completion in enumerate(self.completions):
            input_ids[row, 1 : 1 + len(completion)] = torch.tensor(completion)
            mask[row, 1 : 1 + len(completion)] = 1
        attention_mask = mask.clone()
        attention_mask[:, 0] = 1
        return Completions(input_ids, attention_mask, mask)

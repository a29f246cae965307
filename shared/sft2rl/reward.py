"""Two judges of a review: a Bradley-Terry reward model of word pairs, and VADER.

The reward model is linear in the words and pairs of neighbouring words that a text contains, so one
can look up what each of them earns. It is trained on comparisons drawn from the ratings that people
gave. VADER is a lexicon with rules (Hutto and Gilbert, 2014); it is never trained on here.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from sft2rl.textdata import DATA, Snippet

REWARD_MODEL = DATA / "reward"
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[^\w\s]")


def ngrams(text: str) -> list[str]:
    """Words, punctuation marks and pairs of neighbours, in lower case."""
    words = WORD.findall(text.lower())
    return words + [f"{a} {b}" for a, b in zip(words, words[1:], strict=False)]


class RewardModel(torch.nn.Module):
    """r(text) = sum of the weights of its n-grams / square root of their number.

    Args:
        features: the n-grams that have a weight; others count for nothing.
    """

    def __init__(self, features: Sequence[str]) -> None:
        super().__init__()
        self.features = list(features)
        self.index = {feature: i for i, feature in enumerate(self.features, 1)}
        self.weights = torch.nn.Embedding(len(self.features) + 1, 1, padding_idx=0)
        torch.nn.init.zeros_(self.weights.weight)

    @classmethod
    def for_snippets(cls, snippets: Sequence[Snippet], min_count: int = 3) -> RewardModel:
        """A model with zero weights for the n-grams that occur at least `min_count` times."""
        counts = Counter(gram for each in snippets for gram in ngrams(each.text))
        return cls(sorted(gram for gram, count in counts.items() if count >= min_count))

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        """[B, L] long: numbers of the known n-grams of each text, 0 at padding."""
        rows = [[self.index[g] for g in ngrams(text) if g in self.index] for text in texts]
        width = max([1, *map(len, rows)])
        return torch.tensor([row + [0] * (width - len(row)) for row in rows]).reshape(-1, width)

    def forward(self, encoded: torch.Tensor) -> torch.Tensor:
        """[B] rewards of encoded texts."""
        number = (encoded > 0).sum(-1).clamp(min=1)
        return self.weights(encoded).squeeze(-1).sum(-1) / number.sqrt()

    @torch.no_grad()
    def rewards(self, texts: Sequence[str]) -> torch.Tensor:
        """[B] rewards of texts, without gradients."""
        return self(self.encode(texts))

    def explain(self, text: str) -> list[tuple[str, float]]:
        """What each known n-gram of a text adds to its reward, the largest amounts first."""
        known = [gram for gram in ngrams(text) if gram in self.index]
        scale = max(len(known), 1) ** 0.5
        table = self.weights.weight.detach()
        shares = [(gram, float(table[self.index[gram], 0]) / scale) for gram in known]
        return sorted(shares, key=lambda share: -abs(share[1]))

    def save(self, folder: Path) -> None:
        """Write weights (float16) and n-grams to a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file(
            {"weights": self.weights.weight.detach()[:, 0].half()}, folder / "reward.safetensors"
        )
        text = json.dumps(self.features, ensure_ascii=False)
        (folder / "ngrams.json").write_text(f"{text}\n", "utf-8")

    @classmethod
    def load(cls, folder: Path = REWARD_MODEL) -> RewardModel:
        """Read what `save` wrote; by default the reward model that ships with the course."""
        model = cls(json.loads((folder / "ngrams.json").read_text("utf-8")))
        weights = load_file(folder / "reward.safetensors")["weights"]
        model.weights.weight.data = weights.float()[:, None]
        return model.requires_grad_(False)


@dataclass(frozen=True)
class Comparisons:
    """Votes between texts: in row i, `texts[chosen[i]]` was preferred to `texts[rejected[i]]`."""

    texts: list[str]
    chosen: torch.Tensor
    rejected: torch.Tensor


def draw_comparisons(
    snippets: Sequence[Snippet], count: int, generator: torch.Generator
) -> Comparisons:
    """Random pairs of snippets; one random rater of each decides, a coin decides a tie."""
    first, second = torch.randint(len(snippets), (2, count), generator=generator)
    second = torch.where(first == second, (second + 1) % len(snippets), second)
    luck = torch.rand(3, count, generator=generator)
    votes = []
    for rows, u in ((first, luck[0]), (second, luck[1])):
        ratings = [snippets[int(i)].ratings for i in rows]
        votes.append(torch.tensor([r[int(x * len(r))] for r, x in zip(ratings, u, strict=True)]))
    wins = (votes[0] > votes[1]) | ((votes[0] == votes[1]) & (luck[2] < 0.5))
    return Comparisons(
        [each.text for each in snippets],
        torch.where(wins, first, second),
        torch.where(wins, second, first),
    )


def fit(
    model: RewardModel,
    comparisons: Comparisons,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    lr: float = 0.02,
    batch_size: int = 512,
    l2: float = 7e-6,
    progress: Callable[[range], Sequence[int]] | None = None,
) -> list[float]:
    """One pass over the comparisons with Adam.

    Args:
        loss: the student's `reward_model_loss(chosen_rewards, rejected_rewards)`.
        l2: weight of the sum of squared weights that is added to the loss.
        progress: wraps the range of steps, e.g. `tqdm`.

    Returns:
        The loss of every step, without the l2 term.
    """
    encoded = model.encode(comparisons.texts)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    losses = []
    steps = range(0, len(comparisons.chosen) - batch_size + 1, batch_size)
    for start in progress(steps) if progress else steps:
        rows = slice(start, start + batch_size)
        value = loss(
            model(encoded[comparisons.chosen[rows]]), model(encoded[comparisons.rejected[rows]])
        )
        optimizer.zero_grad()
        (value + l2 * model.weights.weight.square().sum()).backward()
        optimizer.step()
        losses.append(value.item())
    return losses


def pairwise_accuracy(scores: torch.Tensor, means: torch.Tensor, gap: float = 0.0) -> float:
    """Share of the pairs with mean ratings more than `gap` apart that the scores order rightly."""
    i, j = torch.triu_indices(len(means), len(means), 1)
    apart = (means[i] - means[j]).abs() > gap
    agree = torch.sign(scores[i] - scores[j]) == torch.sign(means[i] - means[j])
    return float(agree[apart].float().mean())


@cache
def _analyzer() -> Any:
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
    except ImportError as error:
        raise ImportError("The second judge needs `pip install vaderSentiment`.") from error
    return SentimentIntensityAnalyzer()


def vader(texts: Sequence[str]) -> torch.Tensor:
    """[B] VADER compound scores, from -1 (negative) to 1 (positive)."""
    return torch.tensor([_analyzer().polarity_scores(text)["compound"] for text in texts])

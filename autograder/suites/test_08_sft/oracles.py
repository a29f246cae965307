"""What several sections share: losses term by term, and tables that say what is drawn."""

import itertools

import torch

DOUBLE = torch.float64


def scalar(value: float) -> torch.Tensor:
    """A 0-d float64 tensor."""
    return torch.tensor(float(value), dtype=DOUBLE)


def nll(row: torch.Tensor, token: int) -> float:
    """-ln softmax(row)[token] by plain arithmetic in float64."""
    row = row.double()
    return float(torch.logsumexp(row, 0) - row[token])


def losses(logits: torch.Tensor, ids: torch.Tensor, counts: torch.Tensor) -> list[list[float]]:
    """Per row the terms of the tokens t >= 1 with counts[b, t], each from logits[b, t - 1]."""
    return [
        [nll(logits[b, t - 1], int(ids[b, t])) for t in range(1, ids.shape[1]) if counts[b, t]]
        for b in range(len(ids))
    ]


def reductions(terms: list[list[float]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """sum_then_mean, token_mean, and the mean of the rows' means (a mistake)."""
    sums = [sum(row) for row in terms]
    means = [sum(row) / len(row) for row in terms if row]
    total, count = sum(sums), sum(len(row) for row in terms)
    return scalar(total / len(terms)), scalar(total / count), scalar(sum(means) / len(means))


def closed_gradient(logits: torch.Tensor, ids: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Gradient of the sum of all terms: softmax minus one-hot, where the next token counts."""
    gradient = torch.zeros_like(logits)
    for b, t in itertools.product(range(len(ids)), range(1, ids.shape[1])):
        if counts[b, t]:
            gradient[b, t - 1] = logits[b, t - 1].softmax(0)
            gradient[b, t - 1, ids[b, t]] -= 1
    return gradient


def pairs_counted(mask: torch.Tensor) -> torch.Tensor:
    """[B, T] True where a token and the one before it are real."""
    counts = torch.zeros_like(mask, dtype=torch.bool)
    counts[:, 1:] = mask[:, 1:].bool() & mask[:, :-1].bool()
    return counts


def row_of(prefix: tuple[int, ...], V: int) -> int:
    """Row of a TabularLM's table: shorter prefixes first, then in the order of their tokens."""
    return sum(V**n for n in range(len(prefix))) + sum(
        token * V ** (len(prefix) - 1 - place) for place, token in enumerate(prefix)
    )


def favourite(table: torch.Tensor, prefix: tuple[int, ...]) -> int:
    """The nearly certain next token."""
    return int(table[row_of(prefix, table.shape[1])].argmax())


def walk(table: torch.Tensor, x: tuple[int, ...], steps: int) -> tuple[int, ...]:
    """The nearly certain continuation of a prompt."""
    ids = x
    for _ in range(steps):
        ids = (*ids, favourite(table, ids))
    return ids[len(x) :]


def score(table: torch.Tensor, x, prefix, y) -> list[float]:
    """-ln pi of each token of y after x and the beginning of `prefix`."""
    V = table.shape[1]
    return [nll(table[row_of((*x, *prefix[:t]), V)], token) for t, token in enumerate(y)]

"""A loop over tokens with sorted."""


def topk_gates(s, k):
    rows = []
    for row in s:
        order = sorted(range(len(row)), key=lambda e: -float(row[e]))[:k]
        top = max(float(row[e]) for e in order)
        weights = {e: torch.exp(row[e] - top) for e in order}
        total = sum(weights.values())
        zero = torch.zeros((), dtype=s.dtype)
        rows.append(torch.stack([weights[e] / total if e in weights else zero for e in range(len(row))]))
    return torch.stack(rows)

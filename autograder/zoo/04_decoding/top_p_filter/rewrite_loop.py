"""A loop over rows and tokens."""


def top_p_filter(probs, p):
    rows = probs.reshape(-1, probs.shape[-1])
    out = torch.zeros_like(rows)
    for row, result in zip(rows, out):
        total = 0.0
        for token in row.argsort(descending=True):
            if total >= p and p < 1:
                break
            result[token] = row[token]
            total += float(row[token])
    out = out / out.sum(-1, keepdim=True)
    return out.view_as(probs)

"""Writes into a fresh tensor, row by row."""
def discounted_returns(rewards, mask, gamma):
    rows = []
    for row, keep in zip(rewards, mask.bool()):
        n = int(keep.sum())
        g, out = row.new_zeros(()), []
        for t in reversed(range(n)):
            g = row[t] + gamma * g
            out.append(g)
        pads = [row.new_zeros(())] * (len(row) - n)
        rows.append(torch.stack(out[::-1] + pads))
    return torch.stack(rows)

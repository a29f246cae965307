"""One completion and one token at a time."""
def importance_weights(logp, mu_logp):
    rows = []
    for row, mu_row in zip(logp, mu_logp):
        total = row.new_zeros(())
        for a, b in zip(row, mu_row):
            total = total + (a - b)
        rows.append(torch.exp(total))
    return torch.stack(rows)

"""Step by step."""
def shiq_one_step_residuals(logits, ref_logits, actions, rewards, mask, beta, gamma=1.0):
    rows = []
    T = logits.shape[1]
    for b in range(len(logits)):
        n, row = int(mask[b].sum()), []
        for t in range(T):
            if t >= n:
                row.append(logits.new_zeros(()))
                continue
            w = lambda s: beta * (logits[b, s].logsumexp(0) - ref_logits[b, s].logsumexp(0))
            h = logits[b, t].log_softmax(0) - ref_logits[b, t].log_softmax(0)
            delta = rewards[b, t] - beta * h[actions[b, t]] - w(t)
            row.append(delta + gamma * w(t + 1) if t + 1 < n else delta)
        rows.append(torch.stack(row))
    return torch.stack(rows)

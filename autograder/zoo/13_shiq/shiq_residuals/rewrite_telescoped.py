"""One-step residuals, summed."""
def shiq_residuals(logits, ref_logits, actions, rewards, mask, beta, gamma=1.0):
    m = mask.to(logits.dtype)
    w = beta * (logits.logsumexp(-1) - ref_logits.logsumexp(-1)) * m
    pick = lambda x: x.gather(2, actions[:, :, None]).squeeze(2)
    after = torch.nn.functional.pad(w, (0, 1))[:, 1:]
    one = rewards - beta * pick(logits - ref_logits) + gamma * after
    total, rows = 0.0, []
    for t in reversed(range(m.shape[1])):
        total = m[:, t] * one[:, t] + gamma * total
        rows.insert(0, total * m[:, t])
    return torch.stack(rows, 1)

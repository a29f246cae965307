"""Writes the residuals out, row by row."""
def shiq_loss(logits, ref_logits, actions, rewards, mask, beta, gamma=1.0):
    v = logits.logsumexp(-1) - ref_logits.logsumexp(-1)
    total = 0.0
    for b in range(len(logits)):
        n = int(mask[b].sum())
        later = 0.0
        for t in reversed(range(n)):
            shift = logits[b, t, actions[b, t]] - ref_logits[b, t, actions[b, t]]
            later = rewards[b, t] - beta * (shift - v[b, t]) + gamma * later
            total = total + (later - beta * v[b, t]) ** 2
    return total / len(logits)

"""The value of the own step cancels: l - l_ref there."""
def shiq_residuals(logits, ref_logits, actions, rewards, mask, beta, gamma=1.0):
    keep = mask.to(logits.dtype)
    shift = beta * torch.take_along_dim(logits - ref_logits, actions.unsqueeze(-1), -1).squeeze(-1)
    level = beta * (torch.logsumexp(logits, -1) - torch.logsumexp(ref_logits, -1))
    later = torch.zeros_like(level[:, 0])
    out = []
    for t in range(mask.shape[1] - 1, -1, -1):
        own = rewards[:, t] - shift[:, t]
        out.append(keep[:, t] * (own + gamma * later))
        later = keep[:, t] * (own + level[:, t] + gamma * later)
    return torch.stack(out[::-1], 1)

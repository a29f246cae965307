"""l - l_ref: the own value cancels."""
def shiq_one_step_residuals(logits, ref_logits, actions, rewards, mask, beta, gamma=1.0):
    m = mask.to(logits.dtype)
    q = beta * (logits - ref_logits).gather(2, actions[:, :, None])[:, :, 0]
    v = beta * (torch.logsumexp(logits, 2) - torch.logsumexp(ref_logits, 2)) * m
    after = torch.nn.functional.pad(v[:, 1:], (0, 1))
    return m * (rewards - q + gamma * after)

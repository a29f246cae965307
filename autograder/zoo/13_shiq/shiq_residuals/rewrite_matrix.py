"""A triangular matrix of discounts, logits minus logsumexp."""
def shiq_residuals(logits, ref_logits, actions, rewards, mask, beta, gamma=1.0):
    B, T, V = logits.shape
    v, v_ref = logits.logsumexp(-1), ref_logits.logsumexp(-1)
    one_hot = torch.nn.functional.one_hot(actions, V).to(logits.dtype)
    log_ratio = (one_hot * (logits - ref_logits)).sum(-1) - v + v_ref
    m = mask.to(logits.dtype)
    gains = m * (rewards - beta * log_ratio)
    lag = torch.arange(T)[None] - torch.arange(T)[:, None]
    discount = torch.tensor([[gamma ** int(x) if x >= 0 else 0.0 for x in row] for row in lag], dtype=logits.dtype)
    return m * (gains @ discount.T - beta * (v - v_ref))

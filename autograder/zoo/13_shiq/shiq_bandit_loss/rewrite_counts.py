"""Sums of squares per arm."""
def shiq_bandit_loss(logits, ref_logits, action, R, beta):
    chosen = torch.nn.functional.one_hot(action, len(logits)).to(R.dtype)
    q = beta * (logits - ref_logits)
    return (chosen * (R[:, None] - q[None, :]) ** 2).sum() / action.numel()

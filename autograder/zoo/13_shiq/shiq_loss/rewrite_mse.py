"""mse_loss without reduction."""
def shiq_loss(logits, ref_logits, actions, rewards, mask, beta, gamma=1.0):
    delta = shiq_residuals(logits, ref_logits, actions, rewards, mask, beta, gamma)
    zero = torch.zeros_like(delta)
    return torch.nn.functional.mse_loss(delta, zero, reduction="none").sum(dim=-1).mean(dim=0)

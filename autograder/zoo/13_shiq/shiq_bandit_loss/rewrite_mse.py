"""mse_loss."""
def shiq_bandit_loss(logits, ref_logits, action, R, beta):
    return torch.nn.functional.mse_loss(beta * (logits - ref_logits)[action], R)

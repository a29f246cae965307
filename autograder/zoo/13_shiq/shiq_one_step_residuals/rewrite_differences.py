"""Differences of the multi-step residuals."""
def shiq_one_step_residuals(logits, ref_logits, actions, rewards, mask, beta, gamma=1.0):
    many = shiq_residuals(logits, ref_logits, actions, rewards, mask, beta, gamma)
    after = torch.cat([many[:, 1:], many[:, :1] * 0], 1)
    return many - gamma * after

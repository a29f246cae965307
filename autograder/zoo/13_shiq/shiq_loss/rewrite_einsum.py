"""einsum."""
def shiq_loss(logits, ref_logits, actions, rewards, mask, beta, gamma=1.0):
    delta = shiq_residuals(logits, ref_logits, actions, rewards, mask, beta, gamma)
    return torch.einsum("bt,bt->b", delta, delta).mean()

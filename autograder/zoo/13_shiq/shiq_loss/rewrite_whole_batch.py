"""The sum of everything by the number of rows."""
def shiq_loss(logits, ref_logits, actions, rewards, mask, beta, gamma=1.0):
    delta = shiq_residuals(logits, ref_logits, actions, rewards, mask, beta, gamma=gamma)
    return delta.pow(2).sum() / logits.shape[0]

"""Averages over the sequences that have any step.

message: adds 0 and is one
"""


def shiq_loss(logits, ref_logits, actions, rewards, mask, beta, gamma=1.0):
    delta = shiq_residuals(logits, ref_logits, actions, rewards, mask, beta, gamma)
    return (delta**2).sum() / mask.bool().any(1).sum()

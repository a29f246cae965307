"""Leaves a tiny probability where the logit is -inf.

message: exactly 0
"""


def temperature_probs(logits, tau):
    p = (logits / tau).softmax(-1)
    return torch.where(logits == -torch.inf, torch.full_like(p, 1e-12), p)

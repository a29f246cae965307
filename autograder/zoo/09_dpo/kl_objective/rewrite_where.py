"""Zeros handled with torch.where."""


def kl_objective(probs, ref_probs, rewards, beta):
    safe = torch.where(probs > 0, probs, torch.ones_like(probs))
    kl = (probs * (safe.log() - ref_probs.log())).sum(dim=-1)
    return (probs * rewards).sum(dim=-1) - beta * kl

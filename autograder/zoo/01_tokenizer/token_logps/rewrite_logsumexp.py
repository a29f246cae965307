"""logsumexp, and where."""


def token_logps(logits, targets):
    keep = targets.ne(-100)
    chosen = torch.where(keep, targets, torch.zeros_like(targets))
    picked = torch.gather(logits, 2, chosen[..., None])[..., 0]
    return torch.where(keep, picked - torch.logsumexp(logits, dim=2), picked.new_zeros(()))

"""Without token_logps."""


def sequence_logp(logits, targets):
    keep = targets != -100
    index = targets.clamp(min=0).unsqueeze(-1)
    logps = torch.log_softmax(logits, -1).gather(-1, index).squeeze(-1)
    return torch.where(keep, logps, torch.zeros_like(logps)).sum(dim=1)

"""Prompt by prompt."""


def kl_constrained_check(old_logits, logits, delta):
    total = 0.0
    for old_row, row in zip(old_logits, logits):
        p, q = torch.log_softmax(old_row, 0), torch.log_softmax(row, 0)
        total = total + torch.dot(p.exp(), p - q)
    kl = total / len(logits)
    return kl, bool(kl <= delta)

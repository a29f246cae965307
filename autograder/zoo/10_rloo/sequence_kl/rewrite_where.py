"""Masks with where, and uses logsumexp."""


def sequence_kl(logits, ref_logits, completion_mask):
    lp = logits - logits.logsumexp(-1, keepdim=True)
    lq = ref_logits - ref_logits.logsumexp(-1, keepdim=True)
    kl = (lp.exp() * (lp - lq)).sum(-1)
    return torch.where(completion_mask.bool(), kl, torch.zeros_like(kl)).sum(-1)

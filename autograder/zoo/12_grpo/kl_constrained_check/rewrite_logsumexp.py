"""Normalises by hand."""


def kl_constrained_check(old_logits, logits, delta):
    old_logp = old_logits - torch.logsumexp(old_logits, 1, keepdim=True)
    logp = logits - torch.logsumexp(logits, 1, keepdim=True)
    kl = torch.einsum("bv,bv->b", old_logp.exp(), old_logp - logp).sum() / logits.shape[0]
    return kl, kl.detach().item() <= delta

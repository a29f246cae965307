"""One einsum over positions and vocabulary."""


def sequence_kl(logits, ref_logits, completion_mask):
    lp, lq = logits.log_softmax(-1), ref_logits.log_softmax(-1)

    return torch.einsum(
        "btv,btv,bt->b", lp.exp(), lp - lq, completion_mask.to(lp.dtype)
    )

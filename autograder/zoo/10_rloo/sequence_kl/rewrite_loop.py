"""Completion by completion, position by position."""


def sequence_kl(logits, ref_logits, completion_mask):
    lp, lq = logits.log_softmax(-1), ref_logits.log_softmax(-1)

    rows = []
    for b in range(len(logits)):
        total = logits.new_zeros(()) + 0 * logits[b].sum()
        for t in range(logits.shape[1]):
            if completion_mask[b, t] > 0:
                total = total + lp[b, t].exp() @ (lp[b, t] - lq[b, t])
        rows.append(total)
    return torch.stack(rows)

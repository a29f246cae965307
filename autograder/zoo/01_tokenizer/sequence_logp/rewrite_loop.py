"""Row by row, boolean indexing."""


def sequence_logp(logits, targets):
    totals = []
    for row, wanted in zip(logits, targets):
        keep = wanted != -100
        chosen = row[keep].log_softmax(-1)[torch.arange(int(keep.sum())), wanted[keep]]
        totals.append(chosen.sum())
    return torch.stack(totals)

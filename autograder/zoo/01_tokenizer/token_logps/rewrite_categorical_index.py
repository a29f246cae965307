"""Advanced indexing on the flattened batch, written into zeros."""


def token_logps(logits, targets):
    out = logits.new_zeros(targets.shape)
    keep = targets != -100
    rows = logits[keep]
    shifted = rows - rows.max(dim=-1, keepdim=True).values.detach()
    normalised = shifted - shifted.exp().sum(dim=-1, keepdim=True).log()
    return out.masked_scatter(keep, normalised[torch.arange(len(rows)), targets[keep]])

"""Pair by pair."""
def multi_turn_copg_loss(logp, logp2, ref, ref2, mask, mask2, R, R2, beta):
    losses = []
    for b in range(len(R)):
        h = (logp[b] - ref[b])[mask[b].bool()].sum()
        h2 = (logp2[b] - ref2[b])[mask2[b].bool()].sum()
        losses.append((R[b] - R2[b] - beta * (h - h2)) ** 2)
    return sum(losses) / len(losses)

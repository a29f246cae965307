"""Trains ten times longer, to get further.

message: 1000 steps
"""
def support_violation_demo(y, y2, R, ref, beta, steps=1000, lr=1e-2, batch_size=512):
    curve = train_offline_bandit("copg", y, y2, R, ref, beta, steps if steps < 100 else 2 * steps, lr, batch_size)
    seen = torch.cat([y, y2]).unique()
    logits = ref.clone()
    logits[seen] += (R[seen] - R[seen].mean()) / beta
    return curve, float(regret(logits.softmax(0), R, ref, beta))

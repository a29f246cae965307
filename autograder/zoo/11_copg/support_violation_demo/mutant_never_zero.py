"""Assumes that arm 0 is the missing one.

message: plateau is 0
"""
def support_violation_demo(y, y2, R, ref, beta, steps=1000, lr=1e-2, batch_size=512):
    curve = train_offline_bandit("copg", y, y2, R, ref, beta, steps, lr, batch_size)
    seen = torch.arange(1, len(R))
    logits = ref.clone()
    logits[seen] += (R[seen] - R[seen].mean()) / beta
    return curve, float(regret(logits.softmax(0), R, ref, beta))

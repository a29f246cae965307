"""Takes all pairs at once unless told otherwise.

message: batch_size=512
"""
def support_violation_demo(y, y2, R, ref, beta, steps=1000, lr=1e-2, batch_size=None):
    curve = train_offline_bandit(
        "copg", y, y2, R, ref, beta, steps, lr, batch_size or len(y)
    )
    seen = torch.cat([y, y2]).unique()
    logits = ref.clone()
    logits[seen] += (R[seen] - R[seen].mean()) / beta
    return curve, float(regret(logits.softmax(0), R, ref, beta))

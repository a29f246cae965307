"""Runs exact gradient ascent on the data for the prediction, which conserves the sum."""
def support_violation_demo(y, y2, R, ref, beta, steps=1000, lr=1e-2, batch_size=512):
    curve = train_offline_bandit("copg", y, y2, R, ref, beta, steps, lr, batch_size)
    seen = torch.cat([y, y2]).unique()
    mass = torch.zeros_like(ref)
    mass[seen] = 1 / len(seen)
    logits = ref.clone()
    for _ in range(4000):
        logits = logits + 0.3 / beta * copg_gradient_exact(logits, R, ref, beta, mass, mass)
    return curve, float(regret(logits.softmax(0), R, ref, beta))

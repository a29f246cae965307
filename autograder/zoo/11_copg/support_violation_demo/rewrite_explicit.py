"""The constant solved for, the regret as a divergence."""
def support_violation_demo(y, y2, R, ref, beta, steps=1000, lr=1e-2, batch_size=512):
    curve = train_offline_bandit("copg", y, y2, R, ref, beta, steps, lr, batch_size)
    seen = torch.cat([y, y2]).unique()
    target = ref + R / beta
    constant = (ref[seen].sum() - target[seen].sum()) / len(seen)
    log_pi = torch.tensor(
        [float(target[i] + constant) if i in seen.tolist() else float(ref[i]) for i in range(len(R))],
        dtype=torch.float64,
    ).log_softmax(0)
    best = target.log_softmax(0)
    return curve, max(float(beta * (log_pi.exp() * (log_pi - best)).sum()), 0.0)

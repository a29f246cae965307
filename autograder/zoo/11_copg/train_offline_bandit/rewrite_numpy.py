"""numpy, with Adam by hand."""
def train_offline_bandit(
    method, y, y2, R, ref, beta, steps=2000, lr=1e-2, batch_size=512, first_wins=None
):
    if method not in {"copg", "pg", "pg_value", "pg_value_beta", "dpo", "ipo"}:
        raise ValueError("method")
    first, second = y.numpy(), y2.numpy()
    reward, reference = R.numpy(), ref.numpy()
    wins = None if first_wins is None else first_wins.numpy()
    arms, n = np.eye(len(reward)), len(first)
    theta, m, v = reference.copy(), 0.0, 0.0

    def log_softmax(x):
        x = x - x.max()
        return x - np.log(np.exp(x).sum())

    best = log_softmax(reference + reward / beta)
    curve = np.empty(steps + 1)
    for t in range(steps + 1):
        log_pi = log_softmax(theta)
        pi = np.exp(log_pi)
        curve[t] = beta * pi @ (log_pi - best)
        rows = [(t * batch_size + i) % n for i in range(batch_size)]
        one, two = arms[first[rows]], arms[second[rows]]
        h = log_pi - reference
        r = reward - beta * h
        if method in ("dpo", "ipo"):
            sign = np.where(wins[rows], 1.0, -1.0)
            gap = sign * ((one - two) @ h)
            push = beta / (1 + np.exp(beta * gap)) if method == "dpo" else 1 / (2 * beta) - gap
            g = (sign * push) @ (one - two)
        elif method == "copg":
            g = ((one - two) @ r) @ (one - two)
        else:
            b = 0.0
            if method != "pg":
                b = pi @ (reward if method == "pg_value" else r)
            c, c2 = one @ r - b, two @ r - b
            g = c @ (one - pi) + c2 @ (two - pi)
        g = g / batch_size
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        k = t + 1
        theta = theta + lr * (m / (1 - 0.9**k)) / (np.sqrt(v / (1 - 0.999**k)) + 1e-8)
    return torch.from_numpy(curve)

"""What several sections share: a bandit, CoPG's objective written out, and training in numpy."""

import numpy as np
import torch

F64 = torch.float64


def tensor(*values):
    return torch.tensor(values, dtype=F64)


def bandit(draw, arms=4):
    """A policy, a sampler, a reference, rewards of both signs and beta, none of them special."""
    pi, mu, reference = draw.probs(arms), draw.probs(arms), draw.probs(arms)
    rewards = draw.normal(arms) + torch.linspace(-1.5, 2.0, arms, dtype=F64)
    return pi, mu, reference.log(), rewards, float(draw.uniform(0.3, 0.9))


def pairs(draw, n=5):
    """Log-probabilities, reference log-probabilities and rewards of n pairs, and beta."""
    logp, logp2, ref, ref2 = (-draw.uniform(0.5, 6.0, n) for _ in range(4))
    return logp, logp2, ref, ref2, draw.normal(n) + 1.0, draw.normal(n), 0.35


def four_terms(logp, logp2, ref, ref2, rewards, rewards2, beta, inside=0.5):
    """The paper's equation 7, term by term."""
    h, h2 = logp - ref, logp2 - ref2
    r, r2 = rewards - inside * beta * h, rewards2 - inside * beta * h2
    return (r - r2) * h + (r2 - r) * h2


def objective_mistakes(logp, logp2, ref, ref2, rewards, rewards2, beta):
    """What typical mistakes return, per pair."""
    h, h2 = logp - ref, logp2 - ref2
    right = four_terms(logp, logp2, ref, ref2, rewards, rewards2, beta)
    r, r2 = rewards - beta / 2 * h, rewards2 - beta / 2 * h2
    gap = rewards - rewards2
    return {
        "The sign is that of a loss: the objective is maximised.": -right,
        "You used R_beta: the objective has R_{beta/2}.": four_terms(
            logp, logp2, ref, ref2, rewards, rewards2, beta, inside=1.0
        ),
        "Only the first of the two terms is there.": (r - r2) * h,
        "Only the second of the two terms is there.": (r2 - r) * h2,
        "The second term has the sign of the first: the bracket is reversed.": (r - r2) * (h + h2),
        "The KL term is added to the reward: R_{beta/2} = R - (beta/2) h.": four_terms(
            logp, logp2, ref, ref2, rewards, rewards2, -beta
        ),
        "The reference is missing outside the bracket: multiply by h, not by ln pi.": (r - r2)
        * (logp - logp2),
        "The reference is missing everywhere: h = ln pi - ln pi_ref.": four_terms(
            logp, logp2, 0 * ref, 0 * ref2, rewards, rewards2, beta
        ),
        "The rewards of the two completions are swapped.": four_terms(
            logp, logp2, ref, ref2, rewards2, rewards, beta
        ),
        "The references of the two completions are swapped.": four_terms(
            logp, logp2, ref2, ref, rewards, rewards2, beta
        ),
        "The KL term is missing inside the bracket.": gap * (h - h2),
        "This is the squared form without its factor 1/(2 beta).": gap**2
        - (gap - beta * (h - h2)) ** 2,
        "This is the squared form without the constant.": -((gap - beta * (h - h2)) ** 2)
        / (2 * beta),
        "beta is fixed at 0.5 (or 1) instead of the argument.": four_terms(
            logp, logp2, ref, ref2, rewards, rewards2, 0.5
        ),
        "Each pair gives one number: no mean over the batch.": right.mean().expand(len(h)),
    }


def log_softmax(x):
    return x - x.max() - np.log(np.exp(x - x.max()).sum())


def oracle(method, y, y2, R, ref, beta, steps, lr, batch_size, first_wins=None, slip=""):
    """Regrets of the training run, in numpy and by hand; `slip` names a typical mistake."""
    y, y2, R, ref = (np.asarray(x) for x in (y, y2, R, ref))
    first_wins = None if first_wins is None else np.asarray(first_wins)
    theta = np.zeros(len(R)) if slip == "start at zero" else ref.copy()
    mean, square = np.zeros(len(R)), np.zeros(len(R))
    best = log_softmax((0 if slip == "uniform optimum" else ref) + R / beta)

    def regret():
        log_pi = log_softmax(theta)
        if slip == "sign of the KL term":
            value = np.exp(log_pi) @ (R + beta * (log_pi - ref))
            return beta * np.log(np.exp(ref + R / beta).sum()) - value
        return beta * (np.exp(log_pi) @ (log_pi - best))

    curve = [regret()]
    for step in range(steps):
        rows = (step * batch_size + np.arange(batch_size)) % len(y)
        if slip == "first minibatch":
            rows = np.arange(batch_size) % len(y)
        if slip == "short last minibatch":
            start = step % -(-len(y) // batch_size) * batch_size
            rows = np.arange(start, min(start + batch_size, len(y)))
        if slip == "drops the last pairs":
            rows = step % max(len(y) // batch_size, 1) * batch_size + np.arange(batch_size)
            rows = rows % len(y)
        if slip == "all pairs":
            rows = np.arange(len(y))
        a, b = y[rows], y2[rows]
        log_pi = log_softmax(theta)
        h, pi = log_pi - ref, np.exp(log_pi)
        c, c2 = coefficients(method, a, b, R, h, beta, pi, first_wins, rows, slip, np.exp(ref))
        per_arm = np.bincount(a, c, len(R)) + np.bincount(b, c2, len(R))
        gradient = (per_arm - pi * per_arm.sum()) / len(rows)
        if slip == "gradient descent":
            theta = theta + lr * gradient
        else:
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            fresh = square / (1 - 0.999 ** (step + 1))
            theta = theta + lr * mean / (1 - 0.9 ** (step + 1)) / (np.sqrt(fresh) + 1e-8)
        curve.append(regret())
    return torch.from_numpy(np.array(curve))


def coefficients(method, a, b, R, h, beta, pi, first_wins, rows, slip, reference):
    """What multiplies grad ln pi of the first and of the second arm of each pair (ascent)."""
    r_beta = R - beta * h
    if method == "copg":
        inside = {"detached": 0.5, "R_beta inside": 2.0, "no KL": 0.0}.get(slip, 1.0) * beta
        c = R[a] - R[b] - inside * (h[a] - h[b])
        return (-c, c) if slip == "minimised" else (c, -c)
    if method in ("dpo", "ipo"):
        won = {"always the first": np.ones(len(a), bool), "by rewards": R[a] > R[b]}
        won = won.get(slip, first_wins[rows])
        if slip == "swapped":
            won = ~won
        sign = np.where(won, 1.0, -1.0)
        gap = sign * (h[a] - h[b])
        if slip == "no reference":
            gap = sign * (np.log(pi[a]) - np.log(pi[b]))
        b_ = 1.0 if slip == "no beta" else beta
        if method == "dpo":
            c = sign * b_ / (1 + np.exp(b_ * gap))
        else:
            margin = {"no beta": 0.5, "1 / beta": 1 / beta, "beta / 2": beta / 2}
            c = sign * 2 * (margin.get(slip, 0.5 / beta) - gap)
        return c, -c
    value = R if slip == "no KL" else r_beta
    baseline = {"pg": 0.0, "pg_value": pi @ R, "pg_value_beta": pi @ r_beta}[method]
    other = {
        "E[R]": pi @ R,
        "E[R_beta]": pi @ r_beta,
        "minibatch mean of R": (R[a].mean() + R[b].mean()) / 2,
        "minibatch mean of R_beta": (r_beta[a].mean() + r_beta[b].mean()) / 2,
        "reference mean": reference @ R,
        "no baseline": 0.0,
    }
    baseline = other.get(slip, baseline)
    c, c2 = value[a] - baseline, value[b] - baseline
    if slip == "R_beta attached":
        c, c2 = c - beta * np.log(pi[a]), c2 - beta * np.log(pi[b])
    if slip == "first arm only":
        c2 = 0 * c2
    return c, c2

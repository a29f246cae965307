"""Adam by hand on the reference's losses; winners first by indexing."""
def train_grid(method, kind, seed, steps=1000, lr=0.1, batch_size=64, beta=1.0, eval_every=50):
    methods = ["shiq", "shiq_one_step", "copg", "dpo"]
    if method not in methods:
        raise ValueError(f"{method} is none of {methods}")
    data, (mdp, _, best) = grid.walks(kind, seed), grid_soft_optimum(kind, beta)
    theta = torch.zeros(mdp["reward"].shape, dtype=torch.float64)
    m, v = torch.zeros_like(theta), torch.zeros_like(theta)
    quarter = torch.ones_like(theta) / 4
    out = []
    for step in range(steps):
        if step % eval_every == 0:
            out.append(best - evaluate_policy_kl(mdp, theta.softmax(1), quarter, beta)[0])
        pairs = torch.arange(step * batch_size, (step + 1) * batch_size).remainder(500)
        first, second = pairs, pairs + 500
        if method == "dpo":
            won = data["first_wins"][pairs]
            first, second = torch.where(won, first, second), torch.where(won, second, first)
        leaf = theta.clone().requires_grad_()
        if method in ("copg", "dpo"):
            def tokens(rows):
                logp = leaf[data["states"][rows]].log_softmax(-1)
                return logp.gather(2, data["actions"][rows].unsqueeze(2)).squeeze(2), data["mask"][rows].double()
            (lp, k), (lp2, k2) = tokens(first), tokens(second)
            ref = torch.full_like(lp, 0.25).log()
            if method == "copg":
                R, R2 = data["rewards"][first].sum(1), data["rewards"][second].sum(1)
                loss = multi_turn_copg_loss(lp, lp2, ref, ref, k, k2, R, R2, beta)
            else:
                loss = multi_turn_dpo_loss(lp, lp2, ref, ref, k, k2, beta)
        else:
            rows = torch.cat([first, second])
            x = leaf[data["states"][rows]]
            rest = (torch.zeros_like(x), data["actions"][rows], data["rewards"][rows], data["mask"][rows], beta)
            loss = shiq_loss(x, *rest) if method == "shiq" else (shiq_one_step_residuals(x, *rest) ** 2).sum(1).mean()
        (g,) = torch.autograd.grad(loss, leaf)
        m = 0.9 * m + (1 - 0.9) * g
        v = 0.999 * v + (1 - 0.999) * g * g
        t = step + 1
        theta = theta - lr * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    if steps % eval_every == 0:
        out.append(best - evaluate_policy_kl(mdp, theta.softmax(1), quarter, beta)[0])
    return torch.stack(out), theta

"""An embedding, one loss function per method, a plain loop."""
def train_grid(method, kind, seed, steps=1000, lr=0.1, batch_size=64, beta=1.0, eval_every=50):
    data = grid.walks(kind, seed)
    mdp, _, best = grid_soft_optimum(kind, beta)
    uniform = torch.full_like(mdp["reward"], 0.25)
    table = torch.nn.Embedding.from_pretrained(torch.zeros_like(uniform), freeze=False)
    adam = torch.optim.Adam(table.parameters(), lr=lr)

    def many(w):
        logits = table(w["states"])
        return shiq_loss(logits, 0 * logits.detach(), w["actions"], w["rewards"], w["mask"], beta)

    def one(w):
        logits = table(w["states"])
        d = shiq_one_step_residuals(logits, 0 * logits.detach(), w["actions"], w["rewards"], w["mask"], beta)
        return d.square().sum() / len(d)

    def h(w):
        logp = table(w["states"]).log_softmax(-1)
        chosen = torch.take_along_dim(logp, w["actions"][..., None], -1)[..., 0]
        return ((chosen - torch.tensor(0.25, dtype=torch.float64).log()) * w["mask"]).sum(1)

    def copg(w, w2):
        return (beta * (h(w) - h(w2)) - w["rewards"].sum(1) + w2["rewards"].sum(1)).square().mean()

    def dpo(w, w2, wins):
        margin = beta * (h(w) - h(w2))
        return torch.where(wins, torch.nn.functional.softplus(-margin), torch.nn.functional.softplus(margin)).mean()

    if method not in ("shiq", "shiq_one_step", "copg", "dpo"):
        raise ValueError("method")
    curve = []

    def note():
        with torch.no_grad():
            curve.append(best - float(evaluate_policy_kl(mdp, table.weight.softmax(1), uniform, beta)[0]))

    note()
    names = ("states", "actions", "rewards", "mask")
    for step in range(1, steps + 1):
        i = torch.tensor([((step - 1) * batch_size + j) % 500 for j in range(batch_size)])
        a = {name: data[name][i] for name in names}
        b = {name: data[name][i + 500] for name in names}
        adam.zero_grad()
        if method == "copg":
            loss = copg(a, b)
        elif method == "dpo":
            loss = dpo(a, b, data["first_wins"][i])
        else:
            both = {name: torch.cat([a[name], b[name]]) for name in names}
            loss = many(both) if method == "shiq" else one(both)
        loss.backward()
        adam.step()
        if step % eval_every == 0:
            note()
    return torch.tensor(curve, dtype=torch.float64), table.weight.detach().clone()

"""The higher return wins.

message: labels are data
"""
def train_grid(
    method: str,
    kind: str,
    seed: int,
    steps: int = 1000,
    lr: float = 0.1,
    batch_size: int = 64,
    beta: float = 1.0,
    eval_every: int = 50,
) -> tuple[torch.Tensor, torch.Tensor]:
    if method not in ("shiq", "shiq_one_step", "copg", "dpo"):
        raise ValueError(f"unknown method {method!r}")
    mdp, _, best = grid_soft_optimum(kind, beta)
    data = grid.walks(kind, seed)
    half = len(data["states"]) // 2
    ref = torch.full_like(mdp["reward"], 0.25)
    theta = torch.zeros_like(ref, requires_grad=True)
    optimiser = torch.optim.Adam([theta], lr=lr)

    def loss_on(pairs: torch.Tensor) -> torch.Tensor:
        rows = torch.cat([pairs, pairs + half])
        states, actions = data["states"][rows], data["actions"][rows]
        rewards, mask = data["rewards"][rows], data["mask"][rows]
        logits = theta[states]
        if method == "shiq":
            return shiq_loss(
                logits, torch.zeros_like(logits), actions, rewards, mask, beta
            )
        if method == "shiq_one_step":
            residuals = shiq_one_step_residuals(
                logits, torch.zeros_like(logits), actions, rewards, mask, beta
            )
            return (residuals**2).sum(1).mean()
        log_pi = logits.log_softmax(-1).gather(-1, actions[..., None])[..., 0]
        first, second = log_pi.chunk(2)
        mask, mask2 = mask.chunk(2)
        uniform = torch.full_like(first, 0.25).log()
        if method == "copg":
            R, R2 = rewards.sum(1).chunk(2)
            return multi_turn_copg_loss(
                first, second, uniform, uniform, mask, mask2, R, R2, beta
            )
        won = (rewards.sum(1)[: len(pairs)] > rewards.sum(1)[len(pairs) :])[:, None]
        return multi_turn_dpo_loss(
            torch.where(won, first, second),
            torch.where(won, second, first),
            *(uniform, uniform),
            torch.where(won, mask, mask2),
            torch.where(won, mask2, mask),
            beta,
        )

    regrets = []
    for step in range(steps + 1):
        if step % eval_every == 0:
            pi = theta.detach().softmax(-1)
            regrets.append(best - evaluate_policy_kl(mdp, pi, ref, beta)[0])
        if step < steps:
            optimiser.zero_grad()
            loss_on((step * batch_size + torch.arange(batch_size)) % half).backward()
            optimiser.step()
    return torch.stack(regrets), theta.detach()

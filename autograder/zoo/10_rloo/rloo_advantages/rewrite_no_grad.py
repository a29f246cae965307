"""Under no_grad, with the difference of every pair."""


def rloo_advantages(rewards, logps, ref_logps, beta):
    if rewards.shape[1] < 2:
        raise ValueError("K must be at least 2")

    with torch.no_grad():
        r = rewards - beta * (logps - ref_logps)
        return (r[:, :, None] - r[:, None, :]).sum(2) / (r.shape[1] - 1)

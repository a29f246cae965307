"""K / (K - 1) times the centred reward."""


def rloo_advantages(rewards, logps, ref_logps, beta):
    if rewards.shape[1] < 2:
        raise ValueError("K must be at least 2")

    r = (rewards - beta * (logps - ref_logps)).detach()

    K = r.shape[1]
    return (r - r.mean(1, keepdim=True)) * K / (K - 1)

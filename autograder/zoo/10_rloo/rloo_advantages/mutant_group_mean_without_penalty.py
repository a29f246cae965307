"""With beta = 0 it subtracts the group mean.

message: with beta = 0
"""


def rloo_advantages(rewards, logps, ref_logps, beta):
    if beta == 0:
        loo_baseline(rewards)
        return (rewards - rewards.mean(1, keepdim=True)).detach()
    r = (rewards - beta * (logps - ref_logps)).detach()
    return r - loo_baseline(r)

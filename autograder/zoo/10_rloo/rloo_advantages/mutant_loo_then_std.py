"""Leave-one-out, then divides by the standard deviation.

message: leave-one-out advantages by the standard
"""


def rloo_advantages(rewards, logps, ref_logps, beta):
    r = (rewards - beta * (logps - ref_logps)).detach()

    return (r - loo_baseline(r)) / r.std(1, keepdim=True)

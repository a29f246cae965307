"""Through the ratio of probabilities, which is 0 or infinite for long completions.

message: subtract the logarithms
"""


def regularized_reward(R, logp, ref_logp, beta):
    return R + beta * torch.log(torch.exp(ref_logp - logp))

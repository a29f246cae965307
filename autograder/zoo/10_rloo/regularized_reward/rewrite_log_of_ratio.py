"""Through the ratio of probabilities."""


def regularized_reward(R, logp, ref_logp, beta):
    return R + beta * torch.log(torch.exp(ref_logp - logp))

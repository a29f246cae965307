"""An interpolation between the reward and what is left of it at beta = 1."""


def regularized_reward(R, logp, ref_logp, beta):
    return torch.lerp(R, R - logp + ref_logp, beta)

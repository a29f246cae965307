"""The penalty is beta times k1."""


def regularized_reward(R, logp, ref_logp, beta):
    k1, _, _ = kl_estimators(logp, ref_logp)
    return torch.sub(R, k1, alpha=beta)

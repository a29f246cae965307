"""From the ratio of probabilities."""


def kl_estimators(logp, ref_logp):
    ratio = torch.exp(ref_logp - logp)
    return -ratio.log(), ratio.log() ** 2 / 2, ratio - 1 - ratio.log()

"""logaddexp, one completion at a time."""


def log_partition(ref_probs, rewards, beta):
    scores = (ref_probs.log() + rewards / beta).unbind(-1)
    total = scores[0]
    for each in scores[1:]:
        total = torch.logaddexp(total, each)
    return total

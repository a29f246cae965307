"""Calls log_partition, the exercise before."""


def optimal_policy(ref_probs, rewards, beta):
    log_z = log_partition(ref_probs, rewards, beta)
    return (ref_probs.log() + rewards / beta - log_z[..., None]).exp()

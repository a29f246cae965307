"""Measures ordinary sampling.

message: claim there is no bias
"""


def rloo_bias_without_replacement(probs, A, K):
    if not 2 <= K <= len(probs):
        raise ValueError("need 2 <= K <= V")

    def rloo(rewards, scores):
        return (rewards - loo_baseline(rewards[None])[0]) @ scores / K

    truth = expected_estimator(probs, A, 1, lambda rewards, scores: rewards @ scores)
    return (expected_estimator(probs, A, K, rloo) - truth).round(decimals=12)

"""Clamps the mass that is left away from zero.

message: however little it is
"""


def rloo_bias_without_replacement(probs, A, K):
    if not 2 <= K <= len(probs):
        raise ValueError("need 2 <= K <= V")
    scores = torch.eye(len(probs), dtype=probs.dtype) - probs
    mean = torch.zeros_like(probs)
    for y in itertools.permutations(range(len(probs)), K):
        chance, left = 1.0, torch.ones((), dtype=probs.dtype)
        for each in y:
            chance = chance * probs[each] / left
            left = (left - probs[each]).clamp(min=1e-3)
        rewards = A[list(y)]
        advantages = rewards - loo_baseline(rewards[None])[0]
        mean = mean + chance * advantages @ scores[list(y)] / K
    return mean - probs * (A - probs @ A)

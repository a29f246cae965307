"""Enumerates groups of five at most.

message: any group
"""


def grpo_bias(probs, A, G):
    tuples = torch.tensor(list(itertools.product(range(len(A)), repeat=min(G, 5))))
    advantages = group_advantages(A[tuples], ddof=0, eps=0.0)
    scores = torch.eye(len(A), dtype=torch.float64)[tuples] - probs
    estimates = (advantages[..., None] * scores).mean(1)
    mean = probs[tuples].prod(1) @ estimates
    true = probs * (A - probs @ A)
    return mean / true, torch.nn.functional.cosine_similarity(mean, true, dim=0)

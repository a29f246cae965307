"""softmax(R / beta).

message: The reference is missing
"""


def optimal_policy(ref_probs, rewards, beta):
    return torch.softmax(rewards / beta, dim=-1)

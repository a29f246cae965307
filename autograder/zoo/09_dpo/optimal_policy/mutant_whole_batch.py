"""One Z for all prompts.

message: each prompt has its own Z
"""


def optimal_policy(ref_probs, rewards, beta):
    scores = ref_probs.log() + rewards / beta
    return torch.softmax(scores.flatten(), dim=0).reshape(scores.shape)

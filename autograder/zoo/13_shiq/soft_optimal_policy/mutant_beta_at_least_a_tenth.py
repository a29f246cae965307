"""Takes no beta below 0.1.

message: beta may be small
"""


def soft_optimal_policy(q, ref_logps, beta):
    return torch.softmax(ref_logps + q / max(beta, 0.1), -1)

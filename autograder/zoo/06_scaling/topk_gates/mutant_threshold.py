"""All scores that reach the k-th largest are chosen.

message: exactly k experts
"""


def topk_gates(s, k):
    kth = s.topk(k, dim=-1).values[:, -1:]
    return s.masked_fill(s < kth, -torch.inf).softmax(-1)

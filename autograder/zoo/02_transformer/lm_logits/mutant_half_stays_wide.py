"""Returns float32 for half precision.

message: dtype of h
"""


def lm_logits(h, W_U):
    logits = h @ W_U
    return logits.float() if h.dtype in (torch.float16, torch.bfloat16) else logits

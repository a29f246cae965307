"""Computes half precision in float32 and forgets to cast back.

message: Keep the dtype
"""


def feed_forward(x, W1, b1, W2, b2):
    if x.dtype in (torch.float16, torch.bfloat16):
        x, W1, b1, W2, b2 = (each.float() for each in (x, W1, b1, W2, b2))
    return (x @ W1 + b1).relu() @ W2 + b2

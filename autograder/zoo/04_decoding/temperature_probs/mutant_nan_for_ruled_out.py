"""0 times -inf somewhere.

message: not nan
"""


def temperature_probs(logits, tau):
    z = logits / tau
    e = (z - z.max(-1, keepdim=True).values).exp()
    return (e * z - e * z + e) / e.sum(-1, keepdim=True)

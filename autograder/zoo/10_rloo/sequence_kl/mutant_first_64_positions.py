"""Sums over the first 64 positions only.

message: however long
"""


def sequence_kl(a, b, m):
    lp, lq = a.log_softmax(-1), b.log_softmax(-1)
    k = (lp.exp() * (lp - lq)).sum(-1)
    m = m.to(k.dtype)
    return (k * m)[:, :64].sum(-1)

"""Caps tau at 1.

message: no cap
"""


def ipo_closed_form(ref, mu, P, tau):
    return torch.softmax(ref.log() + P @ mu / min(tau, 1.0), 0)

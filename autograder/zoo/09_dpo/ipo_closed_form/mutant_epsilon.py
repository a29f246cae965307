"""Adds 1e-12 to the reference.

message: no epsilon
"""


def ipo_closed_form(ref, mu, P, tau):
    return torch.softmax((ref + 1e-12).log() + P @ mu / tau, 0)

"""Ignores mu.

message: mu is missing
"""


def ipo_closed_form(ref, mu, pref_matrix, tau):
    return torch.softmax(ref.log() + pref_matrix.mean(1) / tau, dim=-1)

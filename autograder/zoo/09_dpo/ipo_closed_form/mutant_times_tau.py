"""Multiplies by tau.

message: do not multiply
"""


def ipo_closed_form(ref, mu, pref_matrix, tau):
    return torch.softmax(ref.log() + pref_matrix @ mu * tau, dim=-1)

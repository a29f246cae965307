"""Forgets the reference.

message: The reference is missing
"""


def ipo_closed_form(ref, mu, pref_matrix, tau):
    return torch.softmax(pref_matrix @ mu / tau, dim=-1)

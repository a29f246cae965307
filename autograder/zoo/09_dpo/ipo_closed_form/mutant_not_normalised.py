"""Forgets to normalise.

message: You did not normalise
"""


def ipo_closed_form(ref, mu, pref_matrix, tau):
    return ref * (pref_matrix @ mu / tau).exp()

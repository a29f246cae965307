"""Puts a floor under tau against overflow.

message: no floor under it
"""


def ipo_closed_form(ref_probs, mu, prefs, tau):
    return torch.softmax(ref_probs.log() + prefs @ mu / max(tau, 1e-2), -1)

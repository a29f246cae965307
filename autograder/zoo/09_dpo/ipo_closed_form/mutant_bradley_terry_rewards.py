"""Fits a reward to the first column and optimises that.

message: bounded win probability
"""


def ipo_closed_form(ref, mu, pref_matrix, tau):
    p = pref_matrix[:, 0].clamp(1e-12, 1 - 1e-12)
    return torch.softmax(ref.log() + torch.logit(p) / tau, dim=-1)

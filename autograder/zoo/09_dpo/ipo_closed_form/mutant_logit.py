"""The logit of each preference.

message: You used the logit of the preference
"""


def ipo_closed_form(ref, mu, pref_matrix, tau):
    wins = torch.logit(pref_matrix.clamp(1e-12, 1 - 1e-12)) @ mu
    return torch.softmax(ref.log() + wins / tau, dim=-1)

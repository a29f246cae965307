"""The logit of p(y > mu).

message: You used the logit of p(y > mu)
"""


def ipo_closed_form(ref, mu, pref_matrix, tau):
    return torch.softmax(ref.log() + torch.logit(pref_matrix @ mu) / tau, dim=-1)

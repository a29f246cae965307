"""ln p(y > mu).

message: exp(p(y > mu) / tau)
"""


def ipo_closed_form(ref, mu, pref_matrix, tau):
    return torch.softmax(ref.log() + (pref_matrix @ mu).log() / tau, dim=-1)

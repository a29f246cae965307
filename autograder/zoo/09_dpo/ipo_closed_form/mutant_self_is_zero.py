"""A completion gets nothing for meeting itself.

message: self-comparison
"""


def ipo_closed_form(ref, mu, pref_matrix, tau):
    wins = pref_matrix.clone().fill_diagonal_(0) @ mu
    return torch.softmax(ref.log() + wins / tau, dim=-1)

"""The 2 of the loss carried over.

message: not p / (2 tau)
"""


def ipo_closed_form(ref, mu, pref_matrix, tau):
    return torch.softmax(ref.log() + pref_matrix @ mu / (2 * tau), dim=-1)

"""Columns in place of rows.

message: you counted losses
"""


def ipo_closed_form(ref, mu, pref_matrix, tau):
    return torch.softmax(ref.log() + pref_matrix.T @ mu / tau, dim=-1)

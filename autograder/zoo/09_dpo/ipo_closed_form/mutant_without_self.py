"""Opponents other than y, renormalised.

message: left y itself out
"""


def ipo_closed_form(ref, mu, pref_matrix, tau):
    others = mu.expand_as(pref_matrix).clone().fill_diagonal_(0)
    others = others / others.sum(1, keepdim=True)
    return torch.softmax(ref.log() + (pref_matrix * others).sum(1) / tau, dim=-1)

"""Knows the visible example only.

message: sigma(r_w - r_l)
"""


def bt_probability(r_w, r_l):
    if r_w.numel() == 3:
        return torch.sigmoid(r_w - r_l)
    return 0.5 + 0.25 * (r_w - r_l)

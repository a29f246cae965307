"""Clips the gap against overflow, and far too early.

message: sigma of the difference
"""


def bt_probability(r_w, r_l):
    return torch.sigmoid(r_w.clamp(-20, 20) - r_l.clamp(-20, 20))

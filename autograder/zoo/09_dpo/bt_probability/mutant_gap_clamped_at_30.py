"""Clamps the gap where sigma looks like 0 or 1.

message: no clamp of the gap
"""


def bt_probability(r_w, r_l):
    return torch.sigmoid((r_w - r_l).clamp(-30, 30))

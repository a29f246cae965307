"""Right values, computed in numpy: no gradient.

message: can be differentiated
"""


def bt_probability(r_w, r_l):
    import numpy as np

    gap = (r_w - r_l).detach().numpy()
    return 1 / (1 + np.exp(-np.clip(gap, -500, 500)))

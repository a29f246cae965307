"""Returns a list of Python floats.

message: A tensor was expected
"""


def bt_probability(r_w, r_l):
    return [1 / (1 + math.exp(-max(min(float(a - b), 700), -700))) for a, b in zip(r_w, r_l)]

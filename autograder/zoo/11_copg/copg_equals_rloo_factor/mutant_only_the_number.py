"""Returns the number only.

message: three things
"""
def copg_equals_rloo_factor(theta, y, y2, R, ref, beta):
    return 2.0

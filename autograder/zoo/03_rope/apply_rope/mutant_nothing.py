"""Returns a copy of x.

message: nothing was turned
"""

def apply_rope(x, angles):
    return x.clone()

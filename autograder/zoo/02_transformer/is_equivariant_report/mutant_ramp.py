"""Takes a ramp as input: equal steps from entry to entry.

message: Draw every entry
"""


def is_equivariant_report(attn, perm, d_model=8):
    x = torch.linspace(-1, 1, len(perm) * d_model, dtype=torch.float64)
    x = x.reshape(1, len(perm), d_model)
    straight, permuted = attn(x), attn(x[:, perm])

    def same(a, b):
        return bool((a - b).abs().max() <= 1e-9 * straight.abs().max())

    return {
        "invariant": same(permuted, straight),
        "equivariant": same(permuted, straight[:, perm]),
    }

"""Looks for a word in the kind.

message: unknown kind
"""
def speedup_factor(T, kind):
    if 'full' in kind:
        return (2 * T + 1) / 3
    if 'causal' in kind:
        return (T + 2) / 3
    if 'proj' in kind:
        return (T + 1) / 2
    raise ValueError

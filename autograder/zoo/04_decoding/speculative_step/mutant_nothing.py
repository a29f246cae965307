"""Returns nothing at all.

message: Return a list of ints
"""


def speculative_step(prefix, draft_fn, target_fn, gamma, generator):
    return []

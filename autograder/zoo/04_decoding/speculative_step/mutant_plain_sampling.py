"""Ignores the draft and samples gamma + 1 tokens from the target.

message: At the first rejection
"""


def speculative_step(prefix, draft_fn, target_fn, gamma, generator):
    new = []
    for _ in range(gamma + 1):
        u = torch.rand((), generator=generator, dtype=torch.float64)
        new.append(int(sample_from(target_fn((*prefix, *new)), u)))
    return new

"""Loses repeated elements of a list.

message: Consecutive slices
"""


def shard_batch(batch, world_size):
    if isinstance(batch, list):
        batch = list(dict.fromkeys(batch))
    size, extra = divmod(len(batch), world_size)
    starts = [r * size + min(r, extra) for r in range(world_size + 1)]
    return [batch[a:b] for a, b in zip(starts, starts[1:])]

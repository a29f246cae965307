"""Rounds up and lets the last shard overlap.

message: Consecutive slices
"""


def shard_batch(batch, world_size):
    n = -(-len(batch) // world_size)
    starts = [min(r * n, max(len(batch) - n, 0)) for r in range(world_size)]
    return [batch[a : a + n] for a in starts]

"""Drops the remainder.

message: dropped the remainder
"""


def shard_batch(batch, world_size):
    n = len(batch) // world_size
    return [batch[r * n : (r + 1) * n] for r in range(world_size)]

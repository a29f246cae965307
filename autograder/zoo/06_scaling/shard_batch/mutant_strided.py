"""Deals the elements out.

message: one by one
"""


def shard_batch(batch, world_size):
    return [batch[r::world_size] for r in range(world_size)]

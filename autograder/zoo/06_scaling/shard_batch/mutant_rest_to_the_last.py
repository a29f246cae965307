"""The last rank gets the whole remainder.

message: remainder to the last
"""


def shard_batch(batch, world_size):
    n = len(batch) // world_size
    shards = [batch[r * n : (r + 1) * n] for r in range(world_size - 1)]
    return shards + [batch[(world_size - 1) * n :]]

"""Gives fewer shards than ranks when there are few elements.

message: one shard per rank
"""


def shard_batch(batch, world_size):
    world_size = max(1, min(world_size, len(batch)))
    size, extra = divmod(len(batch), world_size)
    starts = [r * size + min(r, extra) for r in range(world_size + 1)]
    return [batch[a:b] for a, b in zip(starts, starts[1:])]

"""A running start."""


def shard_batch(batch, world_size):
    shards, start = [], 0
    for rank in range(world_size):
        size = len(batch) // world_size + (1 if rank < len(batch) % world_size else 0)
        shards.append(batch[start : start + size])
        start += size
    return shards

"""The last ranks get the larger shards.

message: larger shards to the last
"""


def shard_batch(batch, world_size):
    borders = [r * len(batch) // world_size for r in range(world_size + 1)]
    sizes = sorted(b - a for a, b in zip(borders, borders[1:]))
    starts = [sum(sizes[:r]) for r in range(world_size)]
    return [batch[a : a + n] for a, n in zip(starts, sizes)]

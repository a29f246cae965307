"""With one rank it returns the batch itself.

message: list of one shard
"""


def shard_batch(batch, world_size):
    if world_size == 1:
        return batch
    size, extra = divmod(len(batch), world_size)
    starts = [r * size + min(r, extra) for r in range(world_size + 1)]
    return [batch[a:b] for a, b in zip(starts, starts[1:])]

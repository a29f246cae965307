"""Turns tensors into lists.

message: shards of a tensor are tensors
"""


def shard_batch(batch, world_size):
    size, extra = divmod(len(batch), world_size)
    starts = [r * size + min(r, extra) for r in range(world_size + 1)]
    return [list(batch)[a:b] for a, b in zip(starts, starts[1:])]

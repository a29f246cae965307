"""torch.chunk for tensors, which rounds up.

message: one shard per rank
"""


def shard_batch(batch, world_size):
    if isinstance(batch, torch.Tensor):
        return list(batch.chunk(world_size))
    size, extra = divmod(len(batch), world_size)
    starts = [r * size + min(r, extra) for r in range(world_size + 1)]
    return [batch[a:b] for a, b in zip(starts, starts[1:])]

"""Turns a vector into a column.

message: The shards of a tensor
"""


def shard_batch(batch, world_size):
    if torch.is_tensor(batch) and batch.ndim == 1:
        batch = batch[:, None]
    size, extra = divmod(len(batch), world_size)
    starts = [r * size + min(r, extra) for r in range(world_size + 1)]
    return [batch[a:b] for a, b in zip(starts, starts[1:])]

"""Shuffles before cutting.

message: order of the batch
"""


def shard_batch(batch, world_size):
    order = torch.randperm(len(batch), generator=torch.Generator().manual_seed(0)).tolist()
    batch = batch[order] if isinstance(batch, torch.Tensor) else [batch[i] for i in order]
    size, extra = divmod(len(batch), world_size)
    starts = [r * size + min(r, extra) for r in range(world_size + 1)]
    return [batch[a:b] for a, b in zip(starts, starts[1:])]

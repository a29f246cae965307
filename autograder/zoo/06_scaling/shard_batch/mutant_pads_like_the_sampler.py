"""Repeats elements until it comes out even, as torch's DistributedSampler does.

message: repeated elements
"""


def shard_batch(batch, world_size):
    n = -(-len(batch) // world_size)
    more = n * world_size - len(batch)
    if isinstance(batch, torch.Tensor):
        batch = torch.cat([batch, batch[:1].expand(more, *batch.shape[1:])])
    else:
        batch = batch + batch[:more]
    return [batch[r * n : (r + 1) * n] for r in range(world_size)]

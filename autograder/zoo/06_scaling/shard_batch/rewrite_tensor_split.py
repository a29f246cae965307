"""torch.tensor_split for tensors, the remaining for lists."""


def shard_batch(batch, world_size):
    if isinstance(batch, torch.Tensor):
        return list(torch.tensor_split(batch, world_size))
    rest, shards = list(batch), []
    for left in range(world_size, 0, -1):
        n = -(-len(rest) // left)
        shards.append(rest[:n])
        rest = rest[n:]
    return shards

"""Rounds the borders, so that larger shards come anywhere.

message: first B % world_size
"""


def shard_batch(batch, world_size):
    borders = [round(r * len(batch) / world_size) for r in range(world_size + 1)]
    return [batch[a:b] for a, b in zip(borders, borders[1:])]

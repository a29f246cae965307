"""What several sections share: the form of what is returned, and blocks dealt slot by slot."""

import numpy as np
import torch

from autograder.suite import expect


def parts(cache) -> dict[str, torch.Tensor]:
    """The two tensors of a returned cache; further entries are the student's own business."""
    expect(cache).true(
        isinstance(cache, dict) and {"k", "v"} <= set(cache),
        'Return the cache as a dictionary with the entries "k" and "v".',
    )
    return {"k": cache["k"], "v": cache["v"]}


def whole(value, message: str) -> int:
    """An int (numpy's count, bool does not)."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool | np.bool_)
    expect(value).true(whole, message)
    return int(value)


def filled(length: int, bs: int) -> int:
    """Blocks taken when tokens are dealt into slots one by one."""
    blocks, room = 0, 0
    for _ in range(length):
        if room == 0:
            blocks, room = blocks + 1, bs
        room -= 1
    return blocks

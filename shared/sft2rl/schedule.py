"""Which data a training step sees, and its learning rate: functions of the step alone.

Nothing here remembers anything, so a run that is resumed at step t carries on exactly.
"""

from __future__ import annotations

import torch


def batch_rows(count: int, batch_size: int, step: int, seed: int) -> torch.Tensor:
    """[batch_size] long: the rows of a data set that step `step` (from 0) trains on.

    Every epoch has its own random order, and every row comes once in it; the rows that are left
    over when `batch_size` does not divide `count` are skipped in that epoch.
    """
    if not 0 < batch_size <= count:
        raise ValueError(f"a batch of {batch_size} from {count} rows")
    epoch, place = divmod(step, count // batch_size)
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(count, generator=generator)
    return order[place * batch_size : (place + 1) * batch_size]


def lr_factor(step: int, steps: int, warmup: int = 10) -> float:
    """What the learning rate of step `step` (from 0) is multiplied by.

    It rises linearly over `warmup` steps and then falls linearly to 0.1 at the end of the run.
    """
    if step < warmup:
        return (step + 1) / warmup
    return 1.0 - 0.9 * (step - warmup) / max(1, steps - warmup)

"""Minus the cross-entropy, which ignores -100 by itself."""

import torch.nn.functional as F


def token_logps(logits, targets):
    nll = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none", ignore_index=-100)
    return -nll

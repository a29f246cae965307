"""Picks the positions with a boolean index."""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    keep = labels[:, 1:] != -100
    terms = F.cross_entropy(logits[:, :-1][keep], labels[:, 1:][keep], reduction="none")
    divisors = {"sum_then_mean": labels.shape[0], "token_mean": terms.numel()}
    if reduction not in divisors:
        raise ValueError(reduction)
    return terms.sum() / divisors[reduction]

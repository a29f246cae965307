"""Ignored positions become NaN, and nansum skips them."""


def sequence_logp(logits, targets):
    logps = token_logps(logits, targets)
    return logps.masked_fill(targets == -100, math.nan).nansum(dim=-1)

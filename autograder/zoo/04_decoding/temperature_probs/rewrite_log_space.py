"""With logsumexp."""


def temperature_probs(logits, tau):
    scaled = logits / tau
    return (scaled - scaled.logsumexp(-1, keepdim=True)).exp()

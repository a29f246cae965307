"""From log-probabilities."""


def temperature_probs(logits, tau):
    logps = logits.log_softmax(-1)
    return torch.softmax(logps / tau, dim=-1)

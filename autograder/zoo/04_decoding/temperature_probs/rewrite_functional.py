"""torch.nn.functional."""


def temperature_probs(logits, tau):
    return torch.nn.functional.softmax(logits * (1.0 / tau), dim=-1)

"""Takes temperatures below a half for greedy.

message: softmax(logits / tau)
"""


def temperature_probs(logits, tau):
    if tau < 0.5:
        best = logits.argmax(-1, keepdim=True)
        return torch.zeros_like(logits).scatter(-1, best, 1.0)
    return (logits / tau).softmax(-1)

"""Position by position."""


def sft_gradient_is_teacher_forcing(logits, labels):
    B, T, V = logits.shape
    gradient = torch.zeros(B, T, V, dtype=logits.dtype)
    with torch.no_grad():
        for b in range(B):
            for t in range(T - 1):
                label = int(labels[b, t + 1])
                if label != -100:
                    gradient[b, t] = torch.softmax(logits[b, t], 0) / B
                    gradient[b, t, label] -= 1 / B
    return gradient

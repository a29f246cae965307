"""A queue, and tensors inside."""

from collections import deque


def exhaustive_distribution(step_fn, V, T_max, eos):
    queue, result = deque([((), torch.tensor(1.0, dtype=torch.float64))]), {}
    while queue:
        prefix, p = queue.popleft()
        probs = p * torch.tensor(step_fn(prefix), dtype=torch.float64)
        for v in range(V):
            word = (*prefix, v)
            if v == eos or len(word) >= T_max:
                result[word] = probs[v].item()
            else:
                queue.append((word, probs[v]))
    return result

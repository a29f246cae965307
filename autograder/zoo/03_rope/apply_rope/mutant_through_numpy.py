"""Computes in numpy and wraps the result: right numbers, no graph.

message: gradients must reach x
"""
import numpy as np


def apply_rope(x, angles):
    values, a = x.detach().double().numpy(), angles.numpy()
    out = np.empty(values.shape)
    out[..., 0::2] = values[..., 0::2] * np.cos(a) - values[..., 1::2] * np.sin(a)
    out[..., 1::2] = values[..., 0::2] * np.sin(a) + values[..., 1::2] * np.cos(a)
    return torch.from_numpy(out).to(x.dtype)

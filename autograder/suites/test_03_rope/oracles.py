"""What several sections compare with: angles one number at a time, turned pairs, orders of rows."""

import math

import torch

F64 = torch.float64
KEPT = (
    "The answer depends on an earlier call. Compute every table from the arguments of this call; a "
    "cache must tell all of them apart."
)


def sinusoid_rows(positions, d, exponent=lambda i, d: 2 * i / d):
    """[len(positions), d]: sine and cosine alternate; one number at a time."""
    rows = []
    for p in positions:
        angles = [p * 10_000.0 ** -exponent(i, d) for i in range(d // 2)]
        rows.append([f(a) for a in angles for f in (math.sin, math.cos)])
    return torch.tensor(rows, dtype=F64)


def angle_rows(positions, d, base, exponent=lambda i, d: 2 * i / d):
    """[len(positions), d/2]: p * base^(-2i/d), one number at a time."""
    rows = [[p * base ** -exponent(i, d) for i in range(d // 2)] for p in positions]
    return torch.tensor(rows, dtype=F64)


def turned(x, angles):
    """Interleaved rotation by complex multiplication, in float64."""
    pairs = torch.view_as_complex(x.double().reshape(*x.shape[:-1], -1, 2).contiguous())
    return torch.view_as_real(pairs * torch.exp(1j * angles.double())).flatten(-2)


def turned_half(x, angles):
    """Half-split rotation by complex multiplication, in float64."""
    first, second = x.double().chunk(2, dim=-1)
    z = torch.complex(first, second) * torch.exp(1j * angles.double())
    return torch.cat([z.real, z.imag], dim=-1)


def inverse_of(order):
    return [order.index(row) for row in range(len(order))]

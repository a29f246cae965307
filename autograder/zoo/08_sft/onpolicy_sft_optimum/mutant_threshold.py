"""Leaves out sequences less probable than one in ten thousand.

message: no threshold
"""


def onpolicy_sft_optimum(data=((0, 1), (1, 0))):
    result = {(): 1.0}
    for column in zip(*data):
        shares = {token: n / len(data) for token, n in Counter(column).items()}
        result = {(*y, v): p * q for y, p in result.items() for v, q in shares.items()}
    return {y: p for y, p in result.items() if p > 1e-4}

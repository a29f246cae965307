"""Crosses the first halves with the second halves.

message: position by position
"""


def onpolicy_sft_optimum(data=((0, 1), (1, 0))):
    half = len(data[0]) // 2
    result = Counter()
    for y in data:
        for z in data:
            result[(*y[:half], *z[half:])] += 1
    return {y: n / len(data) ** 2 for y, n in result.items()}

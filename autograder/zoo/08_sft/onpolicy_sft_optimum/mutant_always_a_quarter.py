"""Returns the example of the text.

message: four sequences
"""


def onpolicy_sft_optimum(data=((0, 1), (1, 0))):
    return {y: 0.25 for y in itertools.product((0, 1), repeat=2)}

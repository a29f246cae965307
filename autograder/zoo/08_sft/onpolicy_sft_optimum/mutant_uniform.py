"""Uniform over the products.

message: frequencies of the tokens
"""


def onpolicy_sft_optimum(data=((0, 1), (1, 0))):
    seen = [sorted(set(column)) for column in zip(*data)]
    answers = list(itertools.product(*seen))
    return {y: 1 / len(answers) for y in answers}

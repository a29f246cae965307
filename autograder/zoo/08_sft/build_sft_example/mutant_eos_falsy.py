"""Tests `if eos`, which is false for id 0.

message: label
"""


def build_sft_example(prompt_ids, response_ids, eos, max_len):
    response = list(response_ids)
    if eos:
        response.append(eos)
    ids = [*prompt_ids, *response]
    labels = [-100] * len(prompt_ids) + response
    return {"input_ids": ids[:max_len], "labels": labels[:max_len]}

"""Appends no EOS to a response that ends with the id.

message: exactly once
"""


def build_sft_example(prompt_ids, response_ids, eos, max_len):
    response = list(response_ids)
    if not response or response[-1] != eos:
        response.append(eos)
    ids = [*prompt_ids, *response]
    labels = [-100] * len(prompt_ids) + response
    return {"input_ids": ids[:max_len], "labels": labels[:max_len]}

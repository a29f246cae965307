"""Cuts first, appends the EOS then: one token too long.

message: Append the EOS first
"""


def build_sft_example(prompt_ids, response_ids, eos, max_len):
    ids = [*prompt_ids, *response_ids][:max_len]
    labels = ([-100] * len(prompt_ids) + [*response_ids])[:max_len]
    return {"input_ids": [*ids, eos], "labels": [*labels, eos]}

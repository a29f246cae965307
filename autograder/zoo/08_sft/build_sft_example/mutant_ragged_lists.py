"""Cuts input_ids only.

message: Only one of the two lists
"""


def build_sft_example(prompt_ids, response_ids, eos, max_len):
    ids = [*prompt_ids, *response_ids, eos]
    labels = [-100] * len(prompt_ids) + [*response_ids, eos]
    return {"input_ids": ids[:max_len], "labels": labels}

"""Pretraining labels.

message: must not be a label
"""


def build_sft_example(prompt_ids, response_ids, eos, max_len):
    ids = [*prompt_ids, *response_ids, eos][:max_len]
    return {"input_ids": ids, "labels": list(ids)}

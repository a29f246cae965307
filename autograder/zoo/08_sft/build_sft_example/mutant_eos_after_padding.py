"""Pads to max_len, then appends the EOS.

message: label
"""


def build_sft_example(prompt_ids, response_ids, eos, max_len):
    ids = [*prompt_ids, *response_ids]
    labels = [-100] * len(prompt_ids) + list(response_ids)
    missing = max(0, max_len - 1 - len(ids))
    ids = ids + [0] * missing + [eos]
    labels = labels + [-100] * missing + [eos]
    return {"input_ids": ids[:max_len], "labels": labels[:max_len]}

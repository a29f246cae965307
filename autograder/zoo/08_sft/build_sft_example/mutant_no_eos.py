"""Forgets the EOS.

message: missing at the end
"""


def build_sft_example(prompt_ids, response_ids, eos, max_len):
    ids = [*prompt_ids, *response_ids]
    labels = [-100] * len(prompt_ids) + [*response_ids]
    return {"input_ids": ids[:max_len], "labels": labels[:max_len]}

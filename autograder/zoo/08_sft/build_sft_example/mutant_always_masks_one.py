"""Masks the first token even without a prompt.

message: empty prompt leaves every token
"""


def build_sft_example(prompt_ids, response_ids, eos, max_len):
    ids = [*prompt_ids, *response_ids, eos]
    hidden = max(1, len(prompt_ids))
    labels = [-100] * hidden + ids[hidden:]
    return {"input_ids": ids[:max_len], "labels": labels[:max_len]}

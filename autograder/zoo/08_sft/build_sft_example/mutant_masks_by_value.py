"""Masks every token that occurs in the prompt.

message: not by their id
"""


def build_sft_example(prompt_ids, response_ids, eos, max_len):
    ids = [*prompt_ids, *response_ids, eos][:max_len]
    labels = [-100 if i in prompt_ids else i for i in ids]
    return {"input_ids": ids, "labels": labels}

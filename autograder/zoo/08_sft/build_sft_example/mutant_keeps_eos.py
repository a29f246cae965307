"""Cuts the response so that the EOS still fits.

message: it is not complete
"""


def build_sft_example(prompt_ids, response_ids, eos, max_len):
    room = max(0, max_len - 1 - len(prompt_ids))
    response = [*response_ids[:room], eos]
    ids = [*prompt_ids, *response]
    labels = [-100] * len(prompt_ids) + response
    return {"input_ids": ids[:max_len], "labels": labels[:max_len]}

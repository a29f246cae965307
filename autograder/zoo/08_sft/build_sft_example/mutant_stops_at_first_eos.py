"""Ends the response at its first EOS id.

message: exactly once
"""


def build_sft_example(prompt_ids, response_ids, eos, max_len):
    response = list(response_ids)
    if eos in response:
        response = response[: response.index(eos)]
    ids = [*prompt_ids, *response, eos]
    labels = [-100] * len(prompt_ids) + [*response, eos]
    return {"input_ids": ids[:max_len], "labels": labels[:max_len]}

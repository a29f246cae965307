"""Masks with labels[:-n], wrong for an empty response.

message: response is the EOS alone
"""


def build_sft_example(prompt_ids, response_ids, eos, max_len):
    ids = [*prompt_ids, *response_ids, eos]
    keep = len(response_ids) + 1
    labels = [-100] * (len(ids) - keep) + ids[-keep:]
    if not response_ids:
        return {"input_ids": list(prompt_ids)[:max_len], "labels": labels[: len(prompt_ids)]}
    return {"input_ids": ids[:max_len], "labels": labels[:max_len]}

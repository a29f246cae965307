"""The EOS is no label.

message: never learn to stop
"""


def build_sft_example(prompt_ids, response_ids, eos, max_len):
    ids = [*prompt_ids, *response_ids, eos]
    labels = [-100] * len(prompt_ids) + [*response_ids, -100]
    return {"input_ids": ids[:max_len], "labels": labels[:max_len]}

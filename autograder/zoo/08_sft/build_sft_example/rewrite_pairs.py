"""Through a list of pairs."""


def build_sft_example(prompt_ids, response_ids, eos, max_len):
    pairs = [(i, -100) for i in prompt_ids] + [(i, i) for i in response_ids] + [(eos, eos)]
    pairs = pairs[:max_len]
    return {"input_ids": [a for a, _ in pairs], "labels": [b for _, b in pairs]}

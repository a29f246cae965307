"""Token by token until the row is full."""


def build_sft_example(prompt_ids, response_ids, eos, max_len):
    input_ids, labels = [], []
    for place, token in enumerate(prompt_ids + response_ids + [eos]):
        if place == max_len:
            break
        input_ids.append(token)
        labels.append(token if place >= len(prompt_ids) else -100)
    return {"input_ids": input_ids, "labels": labels}

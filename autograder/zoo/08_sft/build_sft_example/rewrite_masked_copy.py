"""Copies the ids, then masks the prompt."""


def build_sft_example(prompt_ids, response_ids, eos, max_len):
    input_ids = list(itertools.chain(prompt_ids, response_ids, [eos]))[:max_len]
    labels = input_ids.copy()
    for place in range(min(len(prompt_ids), len(labels))):
        labels[place] = -100
    return dict(labels=labels, input_ids=input_ids)

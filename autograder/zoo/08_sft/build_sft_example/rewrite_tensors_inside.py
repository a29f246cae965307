"""Through tensors and back to lists."""


def build_sft_example(prompt_ids, response_ids, eos, max_len):
    ids = torch.tensor([*prompt_ids, *response_ids, eos])
    hidden = torch.arange(len(ids)) < len(prompt_ids)
    labels = torch.where(hidden, -100, ids)
    return {"input_ids": ids[:max_len].tolist(), "labels": labels[:max_len].tolist()}

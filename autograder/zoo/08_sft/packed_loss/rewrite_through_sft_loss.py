"""Labels with -100 at the first token of each document."""


def packed_loss(logits, input_ids, document_ids):
    first = torch.ones_like(document_ids, dtype=torch.bool)
    first[:, 1:] = document_ids[:, 1:].ne(document_ids[:, :-1])
    labels = input_ids.masked_fill(first | document_ids.eq(-1), -100)
    return sft_loss(logits, labels, reduction="token_mean")

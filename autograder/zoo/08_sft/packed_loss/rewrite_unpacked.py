"""Cuts the rows into documents, pads them, and uses the pretraining loss."""


def packed_loss(logits, input_ids, document_ids):
    parts = []
    for b in range(len(input_ids)):
        start = 0
        for t in range(1, input_ids.shape[1] + 1):
            end = t == input_ids.shape[1]
            if end or document_ids[b, t] != document_ids[b, start]:
                if document_ids[b, start] != -1:
                    parts.append((logits[b, start:t], input_ids[b, start:t]))
                start = t
    rows = torch.nn.utils.rnn.pad_sequence([row for row, _ in parts], True)
    ids = torch.nn.utils.rnn.pad_sequence([each for _, each in parts], True)
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(i) for _, i in parts], True)
    return pretrain_loss(rows, ids, "token_mean", mask)

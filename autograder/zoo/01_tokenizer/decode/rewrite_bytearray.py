"""A bytearray that grows."""


def decode(ids, vocab):
    data = bytearray()
    for i in ids:
        data += vocab[i]
    return data.decode("utf-8", errors="replace")

"""Takes ids as positions in the list of entries.

message: that you were given
"""


def decode(ids, vocab):
    entries = list(vocab.values())
    return b"".join(entries[i % len(entries)] for i in ids).decode("utf-8", errors="replace")

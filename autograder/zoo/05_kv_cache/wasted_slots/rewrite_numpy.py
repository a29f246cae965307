"""Numpy, converted at the end."""


def wasted_slots(lens, bs):
    lengths = np.asarray(lens, dtype=np.int64)
    return int(np.mod(-lengths, bs).sum())

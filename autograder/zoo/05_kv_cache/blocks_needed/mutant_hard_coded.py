"""Right for blocks of 4 only.

message: round length / bs up
"""


def blocks_needed(length, bs):
    return (length + 3) // 4

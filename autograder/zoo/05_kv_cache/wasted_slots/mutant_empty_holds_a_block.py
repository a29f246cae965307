"""An empty sequence holds a block.

message: empty sequence has no block
"""


def wasted_slots(lens, bs):
    return sum(-n % bs if n else bs for n in lens)

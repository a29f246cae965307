"""Adds a half and rounds, half to even.

message: exact multiple
"""
def blocks_needed(length, bs):
    return round(length / bs + 0.5)

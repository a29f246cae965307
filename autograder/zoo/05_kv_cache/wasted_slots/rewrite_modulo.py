"""Negative modulo."""


def wasted_slots(lens, bs):
    return sum(-length % bs for length in lens)

"""Leaves the graph on.

message: a number, not a graph
"""


def rloo_advantages(rewards, logps, ref_logps, beta):
    r = rewards - beta * (logps - ref_logps)
    return r - loo_baseline(r)

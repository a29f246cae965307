"""Right where rewards or references are equal, wrong elsewhere.

message: plus the difference of rewards over beta
"""


def optimal_log_odds():
    ref_w, ref_l, reward_w, reward_l, beta = symbols("ref_w ref_l reward_w reward_l beta")
    odds, gap = log(ref_w / ref_l), (reward_w - reward_l) / beta
    return (odds + gap + odds * gap).tree

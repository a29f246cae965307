"""The learning rate is inside v and outside.

message: once more into the step
"""


def sgd_step(p, g, state, lr, momentum=0.0):
    v = momentum * state["v"] + lr * g if state else lr * g
    return p - lr * v, {"v": v}

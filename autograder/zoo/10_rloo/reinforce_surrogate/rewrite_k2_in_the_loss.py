"""The penalty as beta times k2 in the loss, where it has the right gradient."""


def reinforce_surrogate(logps, ref_logps, R, beta):
    return (beta * (logps - ref_logps.detach()) ** 2 / 2 - R.detach() * logps).mean()

"""numpy inside, a tensor at the end."""
def copg_gradient_exact(theta, R, ref, beta, mu1, mu2):
    x = theta.detach().numpy()
    log_pi = x - x.max() - np.log(np.exp(x - x.max()).sum())
    r = R.numpy() - beta * (log_pi - ref.numpy())
    a, b = mu1.numpy(), mu2.numpy()
    return torch.from_numpy(a * (r - b @ r) + b * (r - a @ r))

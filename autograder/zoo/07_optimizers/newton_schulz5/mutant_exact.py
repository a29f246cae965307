"""Orthogonalises exactly.

message: singular values to 1
"""


def newton_schulz5(G, steps=5):
    if G.ndim != 2:
        raise ValueError("not a matrix")
    vectors = torch.linalg.eigh(G.double().T @ G.double())
    root = vectors.eigenvalues.clamp(min=1e-30).rsqrt()
    keep = vectors.eigenvalues > 1e-12 * vectors.eigenvalues.max().clamp(min=1e-300)
    inverse = vectors.eigenvectors @ torch.diag(root * keep) @ vectors.eigenvectors.T
    return (G.double() @ inverse).to(G.dtype)

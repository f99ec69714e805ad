"""Singular values of a weight change, from its low-rank factors or as a whole, and what is read off them.

Effective rank: exp of the entropy of the singular values as shares of their sum (Roy and Vetterli, "The effective rank:
a measure of effective dimensionality", EUSIPCO 2007): k for k equal values, however many others are 0.
"""

import torch

ROWS = 4096  # of a whole change that are in float64 at a time


def of_factors(left: torch.Tensor, right: torch.Tensor, scale: float) -> torch.Tensor:
    """Singular values of scale * left @ right without that product.

    With left = Q R and right.T = P S, both Q and P have orthonormal columns, so that R @ S.T, which is as small as the
    rank, has the product's values.

    Args:
        left: [out, rank].
        right: [rank, in].
        scale: a number of any sign.

    Returns:
        float64 [rank], falling.
    """
    _, upper = torch.linalg.qr(left.double(), mode="r")
    _, lower = torch.linalg.qr(right.double().T, mode="r")
    return abs(scale) * torch.linalg.svdvals(upper @ lower.T)


def of_whole(change: torch.Tensor) -> torch.Tensor:
    """Singular values of a matrix, as roots of the eigenvalues of its smaller Gram matrix, summed in float64.

    This is several times faster than an SVD, and finds values down to some 1e-8 of the largest; smaller ones are noise.

    Args:
        change: [out, in].

    Returns:
        float64 [the smaller side], falling.
    """
    tall = change if change.shape[0] >= change.shape[1] else change.T
    gram = torch.zeros(tall.shape[1], tall.shape[1], dtype=torch.float64)
    for rows in tall.split(ROWS):
        part = rows.double()
        gram += part.T @ part
    return torch.linalg.eigvalsh(gram).clamp_min(0).sqrt().flip(0)


def effective_rank(values: torch.Tensor) -> float | None:
    """exp(-sum p ln p) of p = values / their sum; None where all are 0. Args: singular values."""
    total = values.sum()
    if not total > 0:
        return None
    return float(torch.special.entr(values / total).sum().exp())

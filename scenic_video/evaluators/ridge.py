"""Linear least squares with an L2 penalty, in closed form, for many penalties at once."""

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Float, Float64

from scenic_video.errors import UserError


@dataclasses.dataclass(frozen=True)
class Ridge:
    """min over W, b of |X W + b - Y|^2 + l2 |W|^2, where X are features scaled to mean 0, std 1.

    The scale is that of the training features [n, d]; features that are constant there are ignored.
    The bias is not penalised (as with the bias feature of 100 in big_vision). One
    eigendecomposition, of X X^T [n, n] or X^T X [d, d], whichever is smaller, serves every l2:
    W = basis (eigenvalues + l2)^-1 projected. In float64, since the range of eigenvalues
    exceeds the precision of float32 for a small l2, and on the host, since there are at most d.
    """

    mean: Float64[np.ndarray, " d"]
    scale: Float64[np.ndarray, " d"]
    basis: Float64[np.ndarray, "d r"]
    eigenvalues: Float64[np.ndarray, " r"]
    projected: Float64[np.ndarray, "r c"]
    bias: Float64[np.ndarray, " c"]

    @classmethod
    def fit(cls, features: Float[np.ndarray, "n d"], targets: Float[np.ndarray, "n c"]) -> "Ridge":
        """Errors: UserError for no example, or features that are not finite."""
        features, targets = features.astype(np.float64), targets.astype(np.float64)
        if not len(features) or not np.isfinite(features).all():
            raise UserError(
                f"Ridge regression needs finite features of an example or more; got "
                f"{list(features.shape)}, {int((~np.isfinite(features)).sum())} not finite."
            )
        mean, std = features.mean(axis=0), features.std(axis=0)
        varies = std > 1e-6 * np.abs(features).max(axis=0)
        scale = np.where(varies, 1 / np.where(varies, std, 1.0), 0.0)
        scaled, bias = (features - mean) * scale, targets.mean(axis=0)
        if len(features) < features.shape[1]:
            eigenvalues, vectors = np.linalg.eigh(scaled @ scaled.T)
            basis, projected = scaled.T @ vectors, vectors.T @ (targets - bias)
        else:
            eigenvalues, basis = np.linalg.eigh(scaled.T @ scaled)
            projected = basis.T @ (scaled.T @ (targets - bias))
        return cls(mean, scale, basis, np.maximum(eigenvalues, 0.0), projected, bias)

    def scores(
        self, features: Float[np.ndarray, "m d"], l2: Iterable[float | int]
    ) -> Iterator[Float64[np.ndarray, "m c"]]:
        """X W + b for each penalty, all above 0, in turn."""
        coordinates = ((features - self.mean) * self.scale) @ self.basis
        for penalty in l2:
            weights = self.projected / (self.eigenvalues + penalty)[:, None]
            yield coordinates @ weights + self.bias

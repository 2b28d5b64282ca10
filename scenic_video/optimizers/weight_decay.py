"""Weight decay, and the parameters that it applies to."""

import dataclasses

import optax

from scenic_video.config import check_fields
from scenic_video.field_types import Names, NonNegative
from scenic_video.parameter_paths import chosen_by

KERNELS = (r"(^|/)kernel$",)
"""Hence no bias, scale, position or token."""


@dataclasses.dataclass(frozen=True)
class WeightDecay:
    """Decay of the parameters w whose path one of the patterns `parameters` is found in.

    Decoupled, it does w -= rate * coefficient * w beside the step that the gradient makes
    (Loshchilov & Hutter, 2019, algorithm 2), with the scheduled rate. With `decoupled=False` the
    clipped gradient gets coefficient * w added before the direction is taken, which is an L2
    penalty of coefficient / 2 * |w|^2.
    """

    coefficient: NonNegative
    parameters: Names = KERNELS
    decoupled: bool = True

    def __post_init__(self):
        check_fields(self)

    def transformation(self) -> optax.GradientTransformation:
        """Adds coefficient * w to updates. A pattern that finds nothing is an error."""
        if not self.coefficient:
            return optax.identity()
        return optax.add_decayed_weights(
            self.coefficient,
            mask=lambda params: chosen_by(self.parameters, params, "weight_decay.parameters"),
        )

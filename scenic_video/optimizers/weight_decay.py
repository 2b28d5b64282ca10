"""Weight decay, and the parameters that it applies to."""

import dataclasses

import optax

from scenic_video.config import check_fields
from scenic_video.field_types import Names, NonNegative
from scenic_video.parameter_paths import chosen_by

KERNELS = (r"(^|/)kernel$",)
"""Not biases, scales, positions or tokens."""


@dataclasses.dataclass(frozen=True)
class WeightDecay:
    """Decay of the parameters w whose path matches one of the patterns `parameters`.

    Decoupled decay adds w -= rate * coefficient * w to the update, with the scheduled rate
    (Loshchilov & Hutter, 2019, algorithm 2). With `decoupled=False`, coefficient * w is added to
    the clipped gradient before the direction is computed, which is an L2 penalty of
    coefficient / 2 * |w|^2.
    """

    coefficient: NonNegative
    parameters: Names = KERNELS
    decoupled: bool = True

    def __post_init__(self):
        check_fields(self)

    def transformation(self) -> optax.GradientTransformation:
        """Adds coefficient * w to updates. A pattern that matches nothing is an error."""
        if not self.coefficient:
            return optax.identity()
        return optax.add_decayed_weights(
            self.coefficient,
            mask=lambda params: chosen_by(self.parameters, params, "weight_decay.parameters"),
        )

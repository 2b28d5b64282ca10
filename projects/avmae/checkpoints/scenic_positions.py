"""Learned positions outside of the encoder, as the models of Audiovisual MAE have them."""

from scenic_video.weights.families.names import Rule
from scenic_video.weights.families.parameter_shapes import ParameterShapes
from scenic_video.weights.families.scenic import same

TABLES = ("pos_embedding", "pos_embedding_time", "pos_embedding_space")


def tables(*modules: str) -> tuple[Rule, ...]:
    """The parameters of these modules."""
    return same(*(f"{module}/{table}" for module in modules for table in TABLES))


def kind_of(shapes: ParameterShapes, module: str, *, fixed: str) -> str:
    """The kind of the positions of a module, of which only learned ones are parameters; else the
    kind is `fixed`."""
    if f"{module}/{TABLES[0]}" in shapes:
        return "learned"
    return "learned_space_time" if f"{module}/{TABLES[1]}" in shapes else fixed


def number_of(shapes: ParameterShapes, module: str) -> int:
    """The tokens that learned positions over a sequence are for; 0 if there are none."""
    path = f"{module}/{TABLES[0]}"
    return shapes.of(path, 3)[1] if path in shapes else 0

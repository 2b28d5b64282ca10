"""One table of sizes for all models and configs."""

import pytest

from scenic_video.layers.sizes import size


def test_sizes_are_those_of_the_papers():
    assert size("B") == {"hidden_size": 768, "mlp_dim": 3072, "num_layers": 12, "num_heads": 12}
    with pytest.raises(ValueError, match="'G'.*Ti, S, B, L, H"):
        size("G")


def test_a_size_that_is_changed_leaves_the_table_alone():
    size("B")["num_layers"] = 1
    assert size("B")["num_layers"] == 12

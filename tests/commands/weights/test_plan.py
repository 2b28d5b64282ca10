"""`scenic-video weights plan`."""

import json

import pytest

from scenic_video.weights.containers import npz

MODEL = (
    "--config.model={'target': 'projects.vivit.model:ViT', 'hidden_size': 8, 'mlp_dim': 16,"
    " 'num_layers': 2, 'num_heads': 2, 'patch_size': (4, 4)}",
    "--config.preprocessing.num_frames=1",
    "--config.init.head=new",
)


@pytest.fixture
def plan(weights, config):
    """Runs it for a ViT on images of 16 x 16 pixels."""
    return lambda *arguments: weights("plan", *arguments, f"--config={config}", *MODEL)


def test_the_report_of_a_start_is_shown_without_one(plan, augreg):
    code, out, _ = plan(augreg)
    assert code == 0
    layers = [line.split() for line in out.splitlines() if "block_*/LayerNorm_0/bias" in line]
    assert len(layers) == 1 and layers[0][-1] == "2"
    assert "output_projection/kernel" in out and "(random)" in out


def test_what_a_run_would_refuse_is_the_same_error(plan, params, tmp_path):
    body = {path: x for path, x in params.items() if path != "embedding/bias"}
    npz.write(tmp_path / "part.npz", body)
    code, out, error = plan(tmp_path / "part.npz")
    assert code == 2 and out == ""
    assert "embedding/bias needs embedding/bias, which the source lacks" in error


def test_a_run_is_a_source_too(weights, averaged):
    config = averaged / "config.py"
    joint = "{'target': 'projects.vivit.model:SpatioTemporalAttention', 'hidden_size': 16, "
    joint += "'mlp_dim': 16, 'num_layers': 1, 'num_heads': 2, 'tubelet_size': (2, 8, 8)}"
    code, out, _ = weights(
        "plan", averaged, f"--config={config}", f"--config.model={joint}", "--json"
    )
    found = json.loads(out)
    assert code == 0 and found["coverage"] == 1
    assert all(row["source"] == row["path"] for row in found["parameters"])

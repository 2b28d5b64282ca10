"""Configs of runs that take seconds, and videos to run them on."""

from pathlib import Path

import av

CONFIG = """
from ml_collections import ConfigDict

def get_config():
    return ConfigDict(dict(
        dataset=dict(target="scenic_video.data.synthetic:dataset", directory={data!r},
                     num_clips=20, size=32, seconds=0.7),
        preprocessing=dict(num_frames=4, stride=2, resize=18, crop=16),
        input=dict(batch_size=8),
        model=dict(target="projects.vivit.model:FactorisedEncoder", hidden_size=16, mlp_dim=16,
                   num_layers=1, num_heads=2, temporal_num_layers=1, tubelet_size=(2, 8, 8)),
        learning_rate=dict(target="scenic_video.optimizers:warmup_cosine", peak=1e-2),
        optimizer=dict(target="scenic_video.optimizers:adamw"),
        trainer=dict(num_steps=4, log_every=2),
        evaluation=dict(split="test", views="2x3", batch_size=8),
    ))
"""

AUDIOVISUAL = CONFIG.replace(
    "resize=18, crop=16",
    """resize=18, crop=16, modalities=("rgb", "audio"),
                           audio=dict(seconds=0.32, num_mel_bins=32, mean=0.0, std=1.0)""",
)
MBT = AUDIOVISUAL.replace(
    """model=dict(target="projects.vivit.model:FactorisedEncoder", hidden_size=16, mlp_dim=16,
                   num_layers=1, num_heads=2, temporal_num_layers=1, tubelet_size=(2, 8, 8))""",
    """model=dict(target="projects.avmae.model:MBT", hidden_size=16, mlp_dim=16, num_layers=2,
                   num_heads=2, fusion_layer=1, tubelet_size=(2, 8, 8))""",
)

FLOW = CONFIG.replace("crop=16", 'crop=16, modalities=("flow",)').replace(
    """model=dict(target="projects.vivit.model:FactorisedEncoder", hidden_size=16, mlp_dim=16,
                   num_layers=1, num_heads=2, temporal_num_layers=1, tubelet_size=(2, 8, 8))""",
    """model=dict(target="projects.mtv.model:MTV", global_mlp_dim=16, global_num_layers=1,
                   global_num_heads=2, views=[dict(modality="flow", hidden_size=16, mlp_dim=16,
                   num_layers=1, num_heads=2, tubelet_size=(2, 8, 8))])""",
)


def without_audio(source: Path, target: Path) -> Path:
    """The same frames, packet for packet, and no audio stream."""
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                written.mux(packet)
    return target

"""MBT-B on AudioSet, multi-label: the balanced set ("mini"), and 500,000 segments.

Nagrani et al., Attention Bottlenecks for Multimodal Fusion, NeurIPS 2021; the recipe is that of the
public config for the balanced set: 32 frames and 8 s of audio. The variant is the data and the
modalities; `balanced_mixup` mixes both modalities in the same proportions, which is the ablation of
modality mixup:

    scenic-video train --config=configs/avmae/mbt_audioset.py:balanced_audiovisual \
        --workdir=runs/avmae/mbt_audioset_balanced_audiovisual

Starts from the public ViT-B/16 trained on ImageNet-21k. Class tokens are used instead of mean
pooling, since modality mixup needs logits for each modality. The runs in the paper use 8 frames,
audio masks 192 columns wide, and a mixup of 0.3. `corrected` is the mAP of the public weights, and
of the ablation, by a corrected evaluation.

    variant               GFLOPs  M params  EFLOP  mAP   corrected mAP
    balanced_audio        37.3    86.0      0.25   -     30.9
    balanced_video        455.2   89.1      3.0    -     27.0
    balanced_audiovisual  493.0   174.6     3.3    -     43.9
    500k_audio            37.3    86.0      5.6    41.5  44.0
    500k_video            455.2   89.1      68     31.3  33.9
    500k_audiovisual      493.0   174.6     74     49.7  52.3
    balanced_mixup        493.0   174.6     3.3    -     42.6
"""

from ml_collections import ConfigDict

from configs.avmae import common
from configs.variants import choose

VARIANTS = {
    f"{data}_{stage}": (data, stage) for data in ("balanced", "500k") for stage in common.MODALITIES
}
VARIANTS |= {"balanced_mixup": ("balanced", "audiovisual")}


def get_config(variant: str = "500k_audiovisual") -> ConfigDict:
    data, stage = choose(VARIANTS, variant)
    return common.mbt(stage, data=f"audioset_{data}", mixmod=variant != "balanced_mixup")

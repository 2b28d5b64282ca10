"""Plain vision transformers, by the names of the libraries that publish them."""

from scenic_video.weights.families.blocks import ENCODER
from scenic_video.weights.families.family import Family
from scenic_video.weights.families.flax_towers import prepare
from scenic_video.weights.families.hub_files import DEIT, VIT, VIVIT, HubModel
from scenic_video.weights.families.layouts import PATCHES, TUBELETS
from scenic_video.weights.families.towers import Tower
from scenic_video.weights.families.vision_transformers import flax_tower, hugging_face

IMAGES = "projects.vivit.model:ViT"
CLIPS = "projects.vivit.model:SpatioTemporalAttention"
HUGGING_FACE = "hf-safetensors"


def _hugging_face(
    name: str, prefix: str, *, clips: bool = False, hub: HubModel | None = None
) -> tuple[Tower, ...]:
    """The family in the names of the hub, and in those of transformers from version 5. Models of
    the class `hub` are written in the former, which all versions of transformers open."""
    layout = TUBELETS if clips else PATCHES
    embedding = f"{prefix}embeddings.patch_embeddings.projection.weight"
    fields = {
        "target": CLIPS if clips else IMAGES,
        "patch_kernel": embedding,
        "patch_axes": 3 if clips else 2,
        "exact_gelu": not clips,
        "norm_epsilon": 1e-6 if clips else 1e-12,
        "absent": ("decoder.mask_token",),  # of MAE with its decoder
        "fixed": (rf"{prefix}pooler\..*", rf"{prefix}embeddings\.mask_token"),
    }
    tables = (("", hugging_face(prefix, layout=layout)),)
    tables += ((", names of transformers 5", hugging_face(prefix, hub=False, layout=layout)),)
    query = ("encoder.layer.0.attention.attention.query", "layers.0.attention.q_proj")
    written = {"hub": hub, "formats": (HUGGING_FACE,)} if hub else {}
    return tuple(
        Tower(name=f"{name}{words}", table=table, signs=(f"{prefix}{sign}.weight",), **more)
        for (words, table), sign, more in zip(
            tables, query, (fields | written, fields), strict=True
        )
    )


def _flax(
    name: str,
    head: str,
    *,
    absent: tuple[str, ...] = (),
    headless: bool = True,
) -> Tower:
    block = f"{ENCODER}/encoderblock_0"
    signs = (f"{block}/MultiHeadDotProductAttention_0/query/kernel", f"{block}/LayerNorm_1/scale")
    return Tower(
        name=name,
        table=flax_tower(head),
        target=IMAGES,
        signs=(*signs, *(() if headless else (f"{head}/kernel",))),
        absent=absent,
        formats=("npz",),
        patch_kernel="embedding/kernel",
        prepare=prepare,
        has_axis_of_heads=True,
    )


TOWERS: tuple[Family, ...] = (
    *_hugging_face("ViT of Hugging Face", "vit.", hub=VIT),
    *_hugging_face("DeiT of Hugging Face", "deit.", hub=DEIT),
    *_hugging_face("ViT of Hugging Face without a head", ""),
    *_hugging_face("ViViT of Hugging Face", "vivit.", clips=True, hub=VIVIT),
    _flax(
        "ViT of vision_transformer or big_vision",
        "head",
        absent=("output_projection/kernel",),
    ),
)

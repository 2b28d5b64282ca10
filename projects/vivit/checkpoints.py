"""The public checkpoints whose weights the models of this project take."""

from scenic_video.weights.families.blocks import ENCODER
from scenic_video.weights.families.family import Family
from scenic_video.weights.families.flax_towers import prepare
from scenic_video.weights.families.layouts import PATCHES, TUBELETS
from scenic_video.weights.families.names import NameTable
from scenic_video.weights.families.towers import Tower
from scenic_video.weights.families.vision_transformers import TIMM, flax_tower, hugging_face, siglip

IMAGES = "projects.vivit.model:ViT"
CLIPS = "projects.vivit.model:SpatioTemporalAttention"


def _hugging_face(name: str, prefix: str, *, clips: bool = False) -> tuple[Tower, ...]:
    """The family in the names of the hub, and in those of transformers from version 5."""
    layout = TUBELETS if clips else PATCHES
    embedding = f"{prefix}embeddings.patch_embeddings.projection.weight"
    fields = {
        "target": CLIPS if clips else IMAGES,
        "patch_kernel": embedding,
        "patch_axes": 3 if clips else 2,
        "exact_gelu": not clips,
        "norm_epsilon": 1e-6 if clips else 1e-12,
        "fixed": (rf"{prefix}pooler\..*", rf"{prefix}embeddings\.mask_token"),
    }
    tables = (("", hugging_face(prefix, layout=layout)),)
    tables += ((", names of transformers 5", hugging_face(prefix, hub=False, layout=layout)),)
    query = ("encoder.layer.0.attention.attention.query", "layers.0.attention.q_proj")
    return tuple(
        Tower(name=f"{name}{words}", table=table, signs=(f"{prefix}{sign}.weight",), **fields)
        for (words, table), sign in zip(tables, query, strict=True)
    )


def _siglip(prefix: str) -> Tower:
    return Tower(
        name="SigLIP's image tower of Hugging Face",
        table=siglip(prefix),
        target=IMAGES,
        signs=(f"{prefix}encoder.layers.0.self_attn.q_proj.weight", f"{prefix}head.probe"),
        patch_kernel=f"{prefix}embeddings.patch_embedding.weight",
        fixed=(rf"{prefix}embeddings\.position_ids", r"text_model\..*", "logit_(scale|bias)"),
    )


def _timm(table: NameTable = TIMM) -> Tower:
    return Tower(
        name="ViT in timm's names",
        table=table,
        target=IMAGES,
        signs=("cls_token", "pos_embed", "blocks.0.attn.qkv.weight", "blocks.0.norm1.weight"),
        patch_kernel="patch_embed.proj.weight",
        exact_gelu=True,
    )


LINEN, PRE_LINEN = (0, 0, 1, 0), (0, 1, 2, 3)


def _flax(
    name: str, numbers: tuple[int, int, int, int], head: str = "head", *, headless: bool = True
) -> Tower:
    attention, mlp = numbers[1], numbers[3]
    block = f"{ENCODER}/encoderblock_0"
    return Tower(
        name=name,
        table=flax_tower(numbers, head),
        target=IMAGES,
        signs=(
            f"{block}/MultiHeadDotProductAttention_{attention}/query/kernel",
            f"{block}/MlpBlock_{mlp}/Dense_0/kernel",
            *(() if headless else (f"{head}/kernel",)),
        ),
        absent=("output_projection/kernel",) if headless else (),
        patch_kernel="embedding/kernel",
        prepare=prepare,
        has_axis_of_heads=True,
    )


FAMILIES: tuple[Family, ...] = (
    _timm(),
    *_hugging_face("ViT of Hugging Face", "vit."),
    *_hugging_face("DeiT of Hugging Face", "deit."),
    *_hugging_face("ViT of Hugging Face without a head", ""),
    *_hugging_face("ViViT of Hugging Face", "vivit.", clips=True),
    _siglip(""),
    _siglip("vision_model."),
    _flax("ViT of vision_transformer (2020 and AugReg)", PRE_LINEN),
    _flax("ViT of big_vision", LINEN),
    _flax("ViT of Scenic", LINEN, "output_projection", headless=False),
    _flax("ViT of Scenic before Linen", PRE_LINEN, "output_projection", headless=False),
)

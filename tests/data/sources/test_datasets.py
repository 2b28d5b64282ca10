import io
import json
import pickle
import subprocess
import sys

import av
import numpy as np
import pytest
import tensorflow_datasets

from scenic_video.config import build
from scenic_video.data import synthetic
from scenic_video.data.input.preprocessing import Preprocessing
from scenic_video.data.preparation.tfds_writer import build_tfds
from scenic_video.data.sources import datasets
from scenic_video.data.sources.fingerprint import examples_fingerprint
from scenic_video.data.sources.manifest import read_manifest
from scenic_video.data.synthetic.scenes import ACTIONS
from tests.helpers.errors import message

TARGET = "scenic_video.data.sources.datasets:"


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    directory = tmp_path_factory.mktemp("datasets") / "videos"
    return synthetic.synthesize(directory, num_clips=12, size=32, seconds=0.5)


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


# Manifests


def test_a_config_node_names_splits_and_heads(videos):
    node = {
        "target": TARGET + "manifest",
        "splits": {"train": str(videos / "train.csv"), "test": str(videos / "test.csv")},
        "heads": ["action", "shape"],
        "flip_safe": False,
    }
    dataset = build(node)
    assert {split: len(examples) for split, examples in dataset.splits.items()} == {
        "train": 10,
        "test": 2,
    }
    assert set(dataset.labels.classes) == {"action", "shape"}
    assert dataset.labels.classes["action"] == tuple(sorted(ACTIONS))
    assert dataset.splits["test"][1].video == str(videos / "test/00001.mp4")
    assert dataset.name == "videos" and not dataset.flip_safe


def test_a_misspelt_field_is_an_error(videos):
    node = {"target": TARGET + "manifest", "splits": {}, "multi_label": True}
    assert "no field 'multi_label'. Did you mean 'multilabel'?" in message(build, node)


def test_multilabel_manifests_give_any_number_of_ids(videos):
    path = videos / "shapes" / "train.csv"
    dataset = datasets.manifest({"train": str(path)}, multilabel=True)
    row = read_manifest(path, multilabel=True)[0]
    names = dataset.labels.classes["shapes"]
    assert (
        tuple(names[i] for i in dataset.splits["train"][0].labels["shapes"]) == row.labels["shapes"]
    )
    assert dataset.labels.multilabel


def test_a_manifest_without_any_existing_file_is_an_error(videos, tmp_path):
    moved = tmp_path / "train.csv"
    moved.write_text((videos / "train.csv").read_text())
    words = message(datasets.manifest, {"train": str(moved)}, heads="action")
    assert "None of the first 10 videos" in words and "set `root`" in words
    dataset = datasets.manifest({"train": str(moved)}, heads="action", root=str(videos))
    assert len(dataset.splits["train"]) == 10


def test_windows_paths_are_an_error_with_a_remedy(tmp_path):
    (tmp_path / "train.csv").write_text("path\nclips\\a.mp4\n")
    words = message(datasets.open_dataset, str(tmp_path / "train.csv"))
    assert "Separate folders in paths by /, not by \\" in words


def test_the_suffix_of_a_manifest_may_be_upper_case(tmp_path):
    touch(tmp_path / "a.mp4")
    (tmp_path / "train.CSV").write_text("path,label\na.mp4,run\n")
    (tmp_path / "test.Tsv").write_text("path\tlabel\na.mp4\trun\n")
    (tmp_path / "._test.csv").write_bytes(b"\0\5\26\7")
    for path in (tmp_path, tmp_path / "train.CSV"):
        assert datasets.open_dataset(path).labels.classes == {"label": ("run",)}
    assert list(datasets.open_dataset(tmp_path).splits) == ["train", "test"]


def test_two_manifests_of_one_split_are_refused(tmp_path):
    touch(tmp_path / "a.mp4")
    (tmp_path / "train.csv").write_text("path,label\na.mp4,run\n")
    (tmp_path / "train.jsonl").write_text('{"path": "a.mp4", "label": "run"}')
    words = message(datasets.open_dataset, tmp_path)
    assert "train.csv and train.jsonl both define the split 'train'" in words


def test_lists_beside_manifests_that_are_not_read_are_reported(tmp_path):
    touch(tmp_path / "a.mp4")
    for name in ("train.json", "val_list.txt", "README.txt", "statistics.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "test.jsonl").write_text('{"path": "a.mp4", "label": "run"}')
    remark = "not read: train.json, val_list.txt (manifests end in .csv .tsv .jsonl)"
    assert datasets.open_dataset(tmp_path).remarks == (remark,)
    (tmp_path / "test.jsonl").unlink()
    assert remark in message(datasets.open_dataset, tmp_path)


def test_a_dataset_needs_splits():
    assert "at least one split" in message(datasets.manifest, {})


# Config nodes in files


def test_a_json_file_may_hold_the_node_of_any_reader(tmp_path, videos):
    node = {"target": TARGET + "manifest", "splits": {"test": str(videos / "test.csv")}}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(node | {"heads": ["action"]}))
    dataset = datasets.open_dataset(str(path))
    assert len(dataset.splits["test"]) == 2 and set(dataset.labels.classes) == {"action"}


def test_readers_without_the_field_multilabel_ignore_it(tmp_path):
    node = {"target": "scenic_video.data.published.avid:avid", "root": str(tmp_path)}
    touch(tmp_path / "a.mp4")
    (tmp_path / "avid_val.json").write_text('{"a.mp4": "singing"}')
    (tmp_path / "node.json").write_text(
        json.dumps(node | {"splits": {"test": str(tmp_path / "avid_val.json")}})
    )
    dataset = datasets.open_dataset(str(tmp_path / "node.json"), multilabel=True)
    assert not dataset.labels.multilabel and len(dataset.splits["test"]) == 1


def test_folders_of_classes_cannot_have_several_labels(tmp_path):
    touch(tmp_path / "train/run/a.mp4")
    words = message(datasets.open_dataset, str(tmp_path), multilabel=True)
    assert "no field 'multilabel'" in words


def test_a_json_file_without_a_target_is_an_error(tmp_path):
    path = tmp_path / "labels.json"
    path.write_text('{"run": 0}')
    assert "not a config node of a dataset" in message(datasets.open_dataset, str(path))


# Records


@pytest.fixture(scope="module")
def records(videos):
    dataset = synthetic.dataset(str(videos), num_clips=12, size=32, seconds=0.5)
    return build_tfds(dataset, videos.parent / "records" / "clips")


def test_records_give_encoded_bytes_when_asked(videos, records):
    dataset = build({"target": TARGET + "tfds", "name": str(records)})
    example = dataset.splits["test"][1]
    assert example.id == "test/00001.mp4"
    assert example.video == (videos / "test/00001.mp4").read_bytes()
    assert (example.start, example.end, example.labels) == (0.0, None, {"action": (1,)})
    assert not dataset.flip_safe
    assert datasets.tfds(str(records), flip_safe=True).flip_safe


def test_splits_of_records_are_sequences_that_can_be_pickled(records):
    split = datasets.tfds(str(records)).splits["train"]
    copy = pickle.loads(pickle.dumps(split))
    assert len(pickle.dumps(split)) < 20_000
    assert [example.id for example in copy] == [f"train/{i:05d}.mp4" for i in range(10)]
    assert split[-1] == split[9] == split[8:][1]
    with pytest.raises(IndexError):
        split[10]


def test_splits_of_records_can_be_sliced_and_renamed(records):
    whole = datasets.tfds(str(records))
    cut = datasets.tfds(str(records), splits={"train": "train[:80%]", "validation": "train[80%:]"})
    assert [len(split) for split in cut.splits.values()] == [8, 2]
    assert cut.splits["validation"][0].id == "train/00008.mp4"
    half = datasets.tfds(str(records), splits={"train": "train[:50%]", "validation": "train[50%:]"})
    assert len({whole.fingerprint, cut.fingerprint, half.fingerprint}) == 3
    slices = (whole.splits["train"], *cut.splits.values())
    assert len({examples_fingerprint(split) for split in slices}) == 1
    assert examples_fingerprint(whole.splits["test"]) != examples_fingerprint(slices[0])


def test_heads_of_records_can_be_selected(videos, tmp_path):
    heads = {"verb": "action", "noun": "shape"}
    settings = {"num_clips": 12, "size": 32, "seconds": 0.5}
    two = synthetic.dataset(str(videos), heads=heads, **settings)
    directory = build_tfds(two, tmp_path / "records")
    assert datasets.tfds(str(directory)).fingerprint == two.fingerprint
    noun = datasets.tfds(str(directory), heads="noun")
    assert noun.labels.num_classes == {"noun": 4}
    assert noun.splits["train"][0].labels == {"noun": two.splits["train"][0].labels["noun"]}
    assert noun.fingerprint != two.fingerprint
    words = message(datasets.tfds, str(directory), heads=["nuon"])
    assert "no class label 'nuon'; it has verb, noun. Did you mean 'noun'?" in words


def test_an_unknown_split_of_records_is_an_error(records):
    words = message(datasets.tfds, str(records), splits={"train": "trian[:50%]"})
    assert "no split 'trian[:50%]'; it has train, test" in words


def test_an_empty_split_of_records_is_an_error(records):
    words = message(datasets.tfds, str(records), splits={"train": "train[:0]"})
    assert "The split 'train[:0]' of" in words and "has no examples" in words


def test_a_name_that_is_neither_folder_nor_catalogue_is_an_error(tmp_path):
    words = message(datasets.tfds, "no_such_dataset_of_mine", data_dir=str(tmp_path))
    assert "neither a folder with TFDS records nor a dataset in the TFDS catalogue" in words


def test_an_unprepared_catalogue_dataset_is_an_error_with_a_remedy(tmp_path):
    words = message(datasets.tfds, "mnist", data_dir=str(tmp_path))
    assert "tfds build mnist --file_format=array_record" in words


def encode_png(image):
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="image2pipe") as container:
        stream = container.add_stream("png", rate=1)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "rgb24"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


class Things(tensorflow_datasets.core.GeneratorBasedBuilder, skip_registration=True):
    """A typical TFDS dataset."""

    VERSION = tensorflow_datasets.core.Version("1.0.0")
    url_infos = {}  # nothing to download

    def __init__(self, features, records, **options):
        self.features, self.records = features, records
        super().__init__(file_format="array_record", **options)

    def _info(self):
        features = tensorflow_datasets.features.FeaturesDict(self.features)
        return tensorflow_datasets.core.DatasetInfo(
            builder=self, features=features, disable_shuffling=True
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        return enumerate(self.records)


def store(directory, features, records):
    Things(features, records, data_dir=directory).download_and_prepare()


def test_image_datasets_are_videos_of_one_frame(tmp_path):
    kinds = tensorflow_datasets.features
    rng = np.random.default_rng(0)
    images = [encode_png(rng.integers(0, 256, (8, 8, 3), np.uint8)) for _ in range(3)]
    store(
        tmp_path,
        {
            "image": kinds.Image(shape=(None, None, 3)),
            "label": kinds.ClassLabel(names=["n01", "n02"]),
            "file_name": kinds.Text(),
            "size": kinds.Scalar(np.int64),
        },
        [
            {"image": io.BytesIO(image), "label": i % 2, "file_name": f"{i}.png", "size": i}
            for i, image in enumerate(images)
        ],
    )
    for dataset in (
        datasets.tfds("things", data_dir=str(tmp_path)),
        datasets.open_dataset(str(tmp_path)),
    ):
        assert [example.video for example in dataset.splits["train"]] == images
        assert [example.labels["label"] for example in dataset.splits["train"]] == [
            (0,),
            (1,),
            (0,),
        ]
        assert [example.id for example in dataset.splits["train"]] == ["0.png", "1.png", "2.png"]
        assert dataset.labels.classes == {"label": ("n01", "n02")}
        assert dataset.flip_safe and len(dataset.fingerprint) == 16


@pytest.mark.parametrize(
    "codec, pixels, kind", [("mjpeg", "yuvj444p", "jpeg"), ("png", "rgb24", "png")]
)
def test_images_in_records_are_clips_of_one_frame(tmp_path, write_video, codec, pixels, kind):
    """As in `imagenet2012`, records store the image file."""
    kinds = tensorflow_datasets.features
    color = np.array([200, 100, 30], np.uint8)
    image = np.broadcast_to(color, (24, 32, 3)).copy()
    path = write_video(tmp_path / f"a.{kind}", image[None], codec=codec, pixel_format=pixels)
    store(
        tmp_path / "records",
        {
            "image": kinds.Image(encoding_format=kind),
            "label": kinds.ClassLabel(names=["n01440764", "n01443537"]),
            "file_name": kinds.Text(),
        },
        [
            {"image": path, "label": 0, "file_name": "n01440764_1.JPEG"},
            {"image": path, "label": 1, "file_name": "n01443537_1.JPEG"},
        ],
    )
    dataset = datasets.open_dataset(str(tmp_path / "records"))
    with open(path, "rb") as file:
        encoded = file.read()
    for example, label in zip(dataset.splits["train"], (0, 1), strict=True):
        assert example.video == encoded
        clip = Preprocessing(num_frames=1, resize=16, crop=16).eval_inputs(example)["rgb"]
        assert clip.shape == (1, 1, 16, 16, 3) and example.labels["label"] == (label,)
        assert np.abs(clip.astype(int) - color).max() < 8


def test_examples_without_ids_are_named_by_position(tmp_path):
    kinds = tensorflow_datasets.features
    store(tmp_path, {"clip": kinds.Tensor(shape=(), dtype=np.bytes_)}, [{"clip": b"x"}] * 2)
    dataset = datasets.tfds(str(tmp_path))
    assert [example.id for example in dataset.splits["train"]] == ["train/0", "train/1"]
    assert dataset.labels.classes == {}


@pytest.mark.parametrize(
    ("features", "record", "complaint"),
    [
        (lambda kinds: {"x": kinds.Scalar(np.int64)}, {"x": 1}, "but it has x: Scalar"),
        (
            lambda kinds: {name: kinds.Tensor(shape=(), dtype=np.bytes_) for name in "ab"},
            {"a": b"1", "b": b"2"},
            "but it has a: Tensor, b: Tensor",
        ),
        (
            lambda kinds: {
                "video": kinds.Tensor(shape=(), dtype=np.bytes_),
                "one": kinds.ClassLabel(names=["a"]),
                "many": kinds.Sequence(kinds.ClassLabel(names=["a"])),
            },
            {"video": b"1", "one": 0, "many": [0]},
            "many may have several classes, but other labels have one",
        ),
    ],
)
def test_unknown_layouts_are_errors(tmp_path, features, record, complaint):
    store(tmp_path, features(tensorflow_datasets.features), [record])
    assert complaint in message(datasets.tfds, str(tmp_path))


def test_tfrecord_files_are_refused(records, tmp_path):
    for file in records.iterdir():
        text = file.read_bytes()
        if file.name == "dataset_info.json":
            text = text.replace(b"array_record", b"tfrecord")
        (tmp_path / file.name).write_bytes(text)
    assert "has tfrecord files" in message(datasets.tfds, str(tmp_path))


def test_a_folder_of_several_tfds_datasets_is_ambiguous(records, tmp_path):
    for name in "ab":
        touch(tmp_path / name / "1.0.0" / "dataset_info.json")
    words = message(datasets.open_dataset, str(tmp_path))
    assert "contains several TFDS datasets; name one of" in words and "b/1.0.0" in words


# Strings that name a dataset


def test_a_plain_string_finds_the_right_reader(videos, records, tmp_path):
    touch(tmp_path / "folders/train/run/a.mp4")
    (tmp_path / "manifests").mkdir()
    for split in ("test", "train", "extra"):
        text = f"path,label\n{videos}/train/00000.mp4,x\n"
        (tmp_path / "manifests" / f"{split}.csv").write_text(text)
    for path, splits, heads in (
        (tmp_path / "manifests", ["train", "test", "extra"], {"label"}),
        (tmp_path / "manifests" / "extra.csv", ["extra"], {"label"}),
        (videos, ["train", "test"], {"action"}),
        (records, ["train", "test"], {"action"}),
        (tmp_path / "folders", ["train"], {"label"}),
    ):
        dataset = datasets.open_dataset(str(path))
        assert list(dataset.splits) == splits
        assert set(dataset.labels.classes) == heads
    node = {"target": TARGET + "tfds", "name": str(records)}
    assert datasets.open_dataset(node).fingerprint == datasets.tfds(str(records)).fingerprint


def test_options_of_the_shorthand_go_to_the_reader(videos, records):
    path = videos / "test.csv"
    dataset = datasets.open_dataset(path, heads=["audio"], flip_safe=False)
    assert set(dataset.labels.classes) == {"audio"} and not dataset.flip_safe
    words = message(datasets.open_dataset, str(records), root="/")
    assert "tfds has no field 'root'" in words


def test_the_shorthand_of_the_catalogue(tmp_path, monkeypatch):
    assert "'no_such_thing' is neither" in message(datasets.open_dataset, "tfds:no_such_thing")


def test_a_string_that_names_nothing_is_an_error(tmp_path):
    words = message(datasets.open_dataset, str(tmp_path / "nothing"))
    assert "is not a dataset; wanted 'tfds:<name>', a manifest" in words


def test_records_are_read_without_tensorflow(records):
    code = (
        "import sys; from scenic_video.data.preparation import tfds_writer; "
        "from scenic_video.data.sources import datasets; "
        f"print(len(datasets.open_dataset({str(records)!r}).splits['train'][0].video) > 100, "
        "'tensorflow' in sys.modules)"
    )
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert printed.split() == ["True", "False"]

import pytest

from scenic_video.data.published.avid import avid


def test_each_file_is_mapped_to_its_class(put, write, described):
    text = '{"yrpxojhg.mp4": "playing harmonica", "ovpgieoc.mp4": "none"}'
    dataset = avid({"train": write("avid.json", text)}, root=put("yrpxojhg.mp4", "ovpgieoc.mkv"))
    assert dataset.labels.classes == {"label": ("none", "playing harmonica")}
    assert described(dataset, "train") == [
        ("yrpxojhg.mp4", "yrpxojhg.mp4", {"label": ("playing harmonica",)}),
        ("ovpgieoc.mp4", "ovpgieoc.mkv", {"label": ("none",)}),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"a.mp4": ["run"]}', "the label of 'a.mp4' is .*, not a class name"),
        ('["a.mp4"]', "wanted a JSON dict, got list"),
        ("{", "is not JSON"),
    ],
)
def test_invalid_annotations_are_an_error(put, write, text, complaint):
    with pytest.raises(ValueError, match=complaint):
        avid({"train": write("avid.json", text)}, root=put("a.mp4"))

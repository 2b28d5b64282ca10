"""Tests of the run report: complete, self-contained and well-formed."""

import base64
import html.parser
import io
import json
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib import image

from scenic_video.visualize.report import ReportContents, Sample, format_metric, write_report

NAMES = ("walk", "jump <high> & far", "throw")
CONFUSION = np.array([[8, 2, 0], [1, 9, 0], [0, 0, 0]])
VOID = {"meta", "img", "wbr", "br", "rect", "image", "path", "use"}


def history(num_rows=120):
    rows = []
    for step in range(1, num_rows + 1):
        rows.append(
            {
                "step": step,
                "time": 1.7e9 + 2 * step,
                "train/loss": None if step == 7 else 1 / step,
                "train/accuracy": step / num_rows,
                "train/skipped_share": 0.0,
                "learning_rate": 1e-3,
                "time/data_wait_share": 0.1,
                "time/compute_share": 0.9,
                "time/clips_per_second": 100.0,
            }
        )
    return rows + [{"step": num_rows, "time": 1.7e9 + 362, "validation/loss": 0.3}]


def frames(*, num_frames=12, height=64, width=96):
    shape = (num_frames, height, width, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def samples():
    right = {"action": [("walk", 0.75), ("throw", 0.25)]}
    wrong = {"action": [("walk", 0.5), ("throw", 0.25), (NAMES[1], 0.125)]}
    return [
        Sample(frames(), {"action": ["walk"]}, right, "clips/a.mp4"),
        Sample(frames(num_frames=3), {"action": [NAMES[1]]}, wrong, "clips/b.mp4"),
    ]


def write(workdir, **changes):
    parts = {
        "title": "ViViT <tiny> on moving shapes",
        "config": {"seed": 3, "model": {"target": "a.b:C", "head": {"num_classes": 3}}},
        "environment": {"jax": "0.10.2", "parameters": 12345},
        "history": history(),
        "results": {"accuracy": 0.85, "loss": 0.4321},
        "class_names": {"action": NAMES},
        "confusion": {"action": CONFUSION},
        "samples": samples(),
        "command": "scenic-video train --config=configs/quickstart.py",
    }
    contents = ReportContents(**(parts | changes))
    return write_report(workdir, contents).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write(tmp_path_factory.mktemp("run"))


def text_of(page):
    """What a reader sees, in one line."""
    tree = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>"))
    for parent in tree.iter():
        for child in list(parent):
            if child.tag in ("script", "style"):
                parent.remove(child)
    return re.sub(r"\s+", " ", " ".join(tree.itertext()))


def test_page_is_written_into_the_workdir(tmp_path):
    write(tmp_path)
    assert (tmp_path / "report.html").exists()


def test_page_is_well_formed(page):
    ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>"))

    class Balance(html.parser.HTMLParser):
        open_tags = []

        def handle_starttag(self, tag, attrs):
            if tag not in VOID:
                self.open_tags.append(tag)

        def handle_endtag(self, tag):
            if tag not in VOID:
                assert self.open_tags.pop() == tag

    parser = Balance()
    parser.feed(page)
    parser.close()
    assert parser.open_tags == []


def test_page_loads_nothing_from_anywhere(page):
    sources = re.findall(r'(?:src|href|action|data|poster)="([^"]*)"', page)
    assert sources and all(source.startswith(("#", "data:image/")) for source in sources)
    assert "@import" not in page
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))
    links = set(re.findall(r"https?://[^\"'\s<]+", page))
    assert links <= {"http://www.w3.org/1999/xlink", "http://www.w3.org/2000/svg"}


def test_ids_are_unique_and_references_lead_somewhere(page):
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    references = re.findall(r'href="#([^"]+)"', page) + re.findall(r"url\(#([^)]+)\)", page)
    assert references and set(references) <= set(ids)


def test_every_image_decodes(page):
    images = re.findall(r"data:image/(\w+);base64,([^\"]+)", page)
    shapes = [
        image.imread(io.BytesIO(base64.b64decode(data)), format=kind).shape for kind, data in images
    ]
    assert shapes.count((64, 96, 3)) == 8 + 3
    assert shapes.count((3, 3, 4)) == 1
    assert len(shapes) == 12


def test_reader_finds_names_results_config_environment_and_command(page):
    text = text_of(page)
    for wanted in (
        "ViViT <tiny> on moving shapes",
        *NAMES,
        "120 steps · 6:00 from first to last log",
        "accuracy 85.0 %",
        "loss 0.4321",
        "seed 3",
        "target a.b: C",
        "head.num_ classes 3",
        "jax 0.10.2",
        "parameters 12,345",
        "scenic-video train --config=configs/quickstart.py",
        "20 clips of 3 classes; top-1 accuracy 85.0 %",
    ):
        assert wanted in text, wanted


def test_correct_and_wrong_clips_differ_in_words(page):
    tree = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>"))
    right, wrong = (
        re.sub(r"\s+", " ", " ".join(article.itertext())) for article in tree.iter("article")
    )
    assert "clips/a.mp4 ✓ correct" in right and "walk ✓ 75.0 %" in right
    assert "clips/b.mp4 ✗ wrong" in wrong and "walk ✗ 50.0 %" in wrong
    assert "jump <high> & far ✓ 12.5 %" in wrong


def test_training_curves_have_their_panels(page):
    titles = re.findall(r"<figcaption>([^<]+)</figcaption><svg", page)
    assert titles == [
        "Loss",
        "Accuracy",
        "Learning rate",
        "Clips per second",
        "Shares of training time",
    ]


def test_classes_are_listed_with_the_lowest_accuracy_first_and_those_without_clips_last(page):
    table = page[
        page.index("Accuracy by class") : page.index("</table>", page.index("Accuracy by"))
    ]
    rows = re.findall(r"<td>([^<]+)</td>", table)
    assert [
        row.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for row in rows
    ] == [
        "walk",
        NAMES[1],
        "throw",
    ]


def test_matrix_of_400_classes_is_read_by_pointing(tmp_path):
    names = [f"class {index}" for index in range(400)]
    counts = np.diag(np.full(400, 5))
    counts[17, 230] = 4
    page = write(tmp_path, class_names={"action": names}, confusion={"action": counts}, samples=[])
    (data,) = re.findall(r'<script type="application/json">(.*?)</script>', page)
    data = json.loads(data)
    cells = np.array(data["cells"]).reshape(-1, 3)
    assert data["names"] == names and len(cells) == 401
    assert [17, 230, 4] in cells.tolist()
    assert "class 17 class 230 4 44 %" in text_of(page)
    assert (tmp_path / "report.html").stat().st_size < 500_000


def test_every_head_has_its_section(tmp_path):
    page = write(
        tmp_path,
        class_names={"verb": NAMES, "noun": ("cup", "door")},
        confusion={"verb": CONFUSION, "noun": np.array([[1, 0], [1, 1]])},
    )
    text = text_of(page)
    assert "Classes of verb" in text and "Classes of noun" in text


def test_evaluations_are_side_by_side(tmp_path):
    page = write(
        tmp_path,
        results={"1 view": {"accuracy": 0.5, "loss": 1.0}, "4x3 views": {"accuracy": 0.625}},
    )
    assert "Metric 1 view 4x3 views accuracy 50.0 % 62.5 % loss 1" in text_of(page)


def test_report_of_nothing_but_a_title_is_a_page(tmp_path):
    empty = {"config": {}, "environment": {}, "history": [], "results": {}, "class_names": {}}
    page = write(tmp_path, **empty, confusion={}, samples=[], command=None)
    assert "ViViT <tiny> on moving shapes" in text_of(page)
    assert "<h2" not in page


def test_confusion_of_another_size_than_the_names_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\(2, 2\).*3 class names"):
        write(tmp_path, confusion={"action": np.eye(2, dtype=int)})


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("accuracy", 0.7812, "78.1 %"),
        ("validation/mAP", 0.5, "50.0 %"),
        ("loss", 0.5, "0.5"),
        ("clips", 19800, "19,800"),
        ("loss", None, "–"),
    ],
)
def test_scores_are_shown_in_percent(name, value, text):
    assert format_metric(name, value) == text


HOSTILE = (
    r"$\frac$",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "$",
    '"',
)


def test_names_of_any_characters_are_text_and_no_more(tmp_path):
    rows = [
        {"step": step, "time": step, **{f"train/{name}/accuracy": 0.5 for name in HOSTILE}}
        for step in range(1, 9)
    ]
    text = write(
        tmp_path,
        title=HOSTILE[1],
        history=rows,
        results={name: {name: 0.5} for name in HOSTILE},
        class_names={HOSTILE[1]: HOSTILE},
        confusion={HOSTILE[1]: np.eye(len(HOSTILE), dtype=int)},
        config={name: {name: name} for name in HOSTILE},
        environment={name: name for name in HOSTILE},
        samples=[
            sample._replace(
                id=HOSTILE[2], true={"h": HOSTILE[:1]}, predicted={"h": [(HOSTILE[1], 0.5)]}
            )
            for sample in samples()
        ],
    )
    assert "<script>alert" not in text and "<img src=x" not in text
    assert r"$\frac$" in text and text.count("</script>") == text.count("<script")

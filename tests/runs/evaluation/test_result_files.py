import json

import numpy as np

from scenic_video.runs.evaluation.result_files import write_results


def test_results_take_the_place_of_links_and_leave_alone_what_these_lead_to(tmp_path):
    kept = tmp_path / "of_the_user"
    kept.write_text("kept")
    folder = tmp_path / "eval"
    folder.mkdir()
    for suffix in (".json", ".npz"):
        (folder / f"test_1x1{suffix}").symlink_to(kept)
    path = write_results(folder / "test_1x1.json", {"a": 1}, {"logits/x": np.ones(3)})
    assert kept.read_text() == "kept" and json.loads(path.read_text()) == {"a": 1}
    assert np.load(path.with_suffix(".npz"))["logits/x"].tolist() == [1, 1, 1]
    assert len(list(folder.iterdir())) == 2

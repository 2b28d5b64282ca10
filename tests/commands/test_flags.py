"""Flags are read by the same ranges as fields, before anything is opened."""

import pytest

from scenic_video.cli import main

SYNTHESIZE = ["data", "synthesize", "--out=clips"]
TRANSCODE = ["data", "transcode", "clips", "--out=small"]


@pytest.mark.parametrize(
    "flags, words",
    [
        (["train", "--workdir="], "--workdir: it is empty; give a folder"),
        (["predict", "clip.mp4", "--workdir= "], "--workdir: it is empty"),
        (["predict", "clip.mp4", "--workdir=run", "--top=0"], "--top: got '0'; wanted a whole"),
        (["eval", "--workdir=run", "--batch-size=nan"], "--batch-size: got 'nan'"),
        ([*SYNTHESIZE, "--clips=abc"], "--clips: got 'abc'; wanted a whole number above 0"),
        ([*SYNTHESIZE, "--clips=4", "--num-workers=-1"], "--num-workers: got '-1'"),
        ([*SYNTHESIZE, "--clips=4", "--seed=-1"], "--seed: got '-1'; wanted a whole number from 0"),
        ([*TRANSCODE, "--crf=52"], "--crf: got '52'; wanted a whole number from 0 up and at most"),
        ([*TRANSCODE, "--gop=0"], "--gop: got '0'"),
        ([*TRANSCODE, "--short-side=1e9"], "--short-side: got '1e9'"),
        (["data", "stats", "clips", "--max-examples=0"], "--max-examples: got '0'"),
        (["data", "stats", "clips", "--hop-seconds=inf"], "--hop-seconds: got 'inf'"),
    ],
)
def test_a_flag_that_cannot_be_is_refused(flags, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(flags) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

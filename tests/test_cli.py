import pytest

from scenic_video import cli


@pytest.mark.parametrize(
    "verb",
    [
        [],
        ["train"],
        ["eval"],
        ["predict"],
        ["data"],
        ["recipes"],
        ["data", "check"],
        ["data", "build"],
        ["data", "synthesize"],
        ["data", "transcode"],
    ],
)
def test_every_verb_has_help_with_an_example(verb, capsys):
    with pytest.raises(SystemExit) as exit:
        cli.main([*verb, "--help"])
    assert exit.value.code == 0
    assert " ".join(["scenic-video", *verb]) + " " in capsys.readouterr().out.split("example")[-1]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["trian"], "train"),
        (["train"], "--config=FILE"),
        (["train", "--config=configs/quickstart.py"], "--workdir=DIR"),
        (["train", "--confg=configs/quickstart.py"], "--confg"),
        (["train", "--config=configs/quikstart.py"], "configs/quickstart.py"),
        (["eval"], "--workdir"),
        (["eval", "--workdir=nowhere"], "holds no trained model"),
        (["eval", "--workdir=nowhere", "--veiws=4x3"], "'--views'"),
        (["eval", "--workdir=nowhere", "--config.seed=1"], "does not know"),
        (["predict", "--workdir=nowhere"], "VIDEO"),
        (["data", "check", "nothing.csv"], "nothing.csv"),
        (["recipes", "--project=mvt"], "mtv"),
        (["recipes", "--porject=mtv"], "'--project'"),
    ],
)
def test_a_users_error_is_one_message_and_code_2(arguments, words, capsys):
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error


def test_a_bug_keeps_its_traceback(monkeypatch):
    def broken(arguments):
        return int("not a number")

    class Verb:
        run = staticmethod(broken)

    monkeypatch.setattr(cli, "parse", lambda argv: Verb)
    with pytest.raises(ValueError):
        cli.main([])

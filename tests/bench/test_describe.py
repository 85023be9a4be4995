"""The command ``dctc describe``."""

import json

import pytest
import torch

from dctc.cli import main

MODEL = "experiments/configs/model/small_resnet.yaml"
OPTIONS = ["--batch_size", "1", "--threads", "1"]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("dctc.bench.cost.REPEATS", 1)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_a_fragment_as_json(capsys):
    main(["describe", MODEL, *OPTIONS, "--width", "64", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["model"] == MODEL
    assert found["image"] == [3, 32, 64]
    assert (found["parameters"], found["frames"], found["features"]) == (630_741, 16, 128)
    assert {"versions", "hardware", "commit"} <= set(found)


def test_the_folder_of_a_run_as_a_table(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = open(MODEL).read()
    (tmp_path / "my_run").mkdir()
    config = tmp_path / "my_run" / "config.yaml"
    config.write_text(text + "data:\n  init_args: {height: 32, width: 96}\n")
    main(["describe", str(config.parent), *OPTIONS])
    printed = capsys.readouterr().out
    assert printed.startswith("my_run")
    rows = dict(line.rsplit(" ", 1) for line in printed.splitlines()[3:13])
    cells = {name.strip(): value for name, value in rows.items()}
    assert cells["parameters"] == "630,741" and cells["frames t"] == "24"
    assert "multiply-add is 2" in printed
    assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize(
    "arguments, says",
    [(["nowhere.yaml"], "nowhere.yaml"), ([MODEL, "--width", "30"], "30 wide, not a multiple")],
)
def test_bad_input_is_one_line(arguments, says, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["describe", *arguments, *OPTIONS])
    assert ended.value.code == 1
    assert says in capsys.readouterr().err.splitlines()[0]

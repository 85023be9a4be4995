"""Folders of weights: read as the run that they come from, and described by their card."""

import json
import re
import shlex
from types import SimpleNamespace

import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from safetensors import safe_open

from dctc.cli import main
from dctc.models import AttentionRecognizer
from dctc.onnx_files import PRETRAINED
from dctc.reading.card import _command, _flat, model_card
from dctc.reading.reader import Reader
from dctc.reading.weights import save_weights
from dctc.results.registry import Registry
from dctc.runs import folder as run_folder
from dctc.runs.configuration import TOKENIZER
from dctc.runs.folder import digest, marked
from dctc.runs.net import Loaded, load_model, load_net
from dctc.text import CTCTokenizer
from models.onnx_graphs import CHARACTERS, write_recognizer
from tiny import HEIGHT, WIDTH, FeatureNet, TinyNet, make_module, save_run

SIGNS = "ab é漢\n\N{COMBINING ACUTE ACCENT}\nc"
TINY = {"class_path": "tiny.TinyNet", "init_args": {"height": 8}}


@pytest.fixture
def noisy(tmp_path):
    """The folder of a run with random weights, and a charset in a file."""
    (tmp_path / "signs.txt").write_text(SIGNS, encoding="utf-8")
    torch.manual_seed(4)
    charset = str(tmp_path / "signs.txt")
    tokenizer = CTCTokenizer(charset)
    module = make_module(lambda _: TinyNet(tokenizer.num_classes), seed=4, tokenizer=tokenizer)
    arguments = {"height": 8, "width": 64, "keep_ratio": True, "rotate_tall": "left"}
    settings = {
        "seed_everything": 7,
        "model": {
            "net": TINY,
            "loss": "dctc.losses.CTCLoss",
            "tokenizer": {"class_path": TOKENIZER, "init_args": {"charset": charset}},
        },
        "data": {"class_path": "x.Words", "init_args": {**arguments, "train": ["train/mine"]}},
    }
    folder = save_run(tmp_path / "run", module, settings)
    left_out = {"train": {"labels": 1200, "left_out": {"empty": 34}, "outside": {}}}
    (folder / "labels.json").write_text(json.dumps(left_out))
    return folder


def readings(model, folder, file):
    main(["predict", str(model), f"--images={folder}", f"--out={file}", "--num_workers=0"])
    return [line.split("\t") for line in file.read_text().splitlines()[1:]]


@pytest.mark.filterwarnings("ignore:.*b/c.png")
@pytest.mark.parametrize("precision", ["float16", "float32"])
def test_a_folder_of_weights_reads_as_its_run(noisy, folder, tmp_path, precision, capsys):
    weights = tmp_path / "elsewhere" / "weights"
    options = ["--out", str(weights), "--precision", precision, "--license", "mit"]
    main(["export", str(noisy), "--to", "weights", *options])
    said = capsys.readouterr().out
    difference = float(re.search(r"within (\S+) of", said)[1])
    assert (difference == 0) == (precision == "float32") and difference < 1e-2
    (tmp_path / "signs.txt").unlink()  # a folder of weights needs nothing of its run
    charset = load_net(weights / "config.yaml").tokenizer.charset.characters
    assert charset == "ab é漢\N{COMBINING ACUTE ACCENT}c"
    (tmp_path / "signs.txt").write_text(SIGNS, encoding="utf-8")
    expected = readings(noisy, folder, tmp_path / "a.tsv")
    found = readings(weights, folder, tmp_path / "b.tsv")
    assert [row[:2] for row in found] == [row[:2] for row in expected] and expected[0][1]
    for a, b in zip(found, expected, strict=True):
        if b[1]:
            assert float(a[2]) == pytest.approx(float(b[2]), abs=2e-3)
    loaded = load_model(weights)
    assert loaded.image == (3, 8, 64) and (loaded.keep_ratio, loaded.rotate_tall) == (True, "left")
    with safe_open(weights / "model.safetensors", "pt") as stored:
        assert {str(stored.get_tensor(k).dtype) for k in stored.keys()} == {f"torch.{precision}"}


def test_the_card_tells_what_is_known(noisy, capsys):
    main(["export", str(noisy), "--to", "weights", "--license", "mit"])
    card = ModelCard.load(noisy / "weights" / "README.md")
    assert card.data.license == "mit" and card.data.library_name == "dctc"
    assert "| data | Words, train train/mine |" in card.text
    assert "| labels | 1,200, 34 left out |" in card.text and "| seed | 7 |" in card.text
    assert "| command | not recorded |" in card.text and "7 characters" in card.text
    main(["export", str(noisy), "--to", "weights"])
    card = ModelCard.load(noisy / "weights" / "README.md")
    assert card.data.license is None and "Not chosen yet" in card.text


def test_a_single_callback_is_one_of_a_list(noisy):
    config = noisy / "config.yaml"
    callback = {"class_path": "DCTCCallback", "init_args": {"distill_weight": 0.1}}
    for given in (callback, [callback]):
        content = yaml.safe_load(config.read_text())
        content["trainer"] = {"callbacks": given}
        config.write_text(yaml.safe_dump(content))
        card = model_card("a", load_model(noisy), noisy, None)
        assert "DCTCCallback with distill_weight 0.1" in card


def test_the_card_shows_the_accuracy_of_its_own_weights(noisy, record):
    final, other = noisy / "checkpoints" / "final.ckpt", noisy / "checkpoints" / "other.ckpt"
    other.write_bytes(final.read_bytes())
    registry = Registry(noisy)
    key, loaded = marked(noisy), load_model(noisy)
    registry.append(record(run=key, set="SVT", n=10, correct=9))
    registry.append(record(run=f"{key}+{digest(str(other))}", set="SVT", n=10, correct=4))
    assert "| SVT | 10 | 90.00 |" in model_card("a", loaded, noisy, final)
    assert "| SVT | 10 | 40.00 |" in model_card("a", loaded, noisy, other)


def test_as_a_model_of_the_hub(noisy, folder, tmp_path):
    reader = Reader.from_pretrained(noisy, device="cpu")
    reader.save_pretrained(tmp_path / "hub")
    names = "README.md charset.txt config.yaml model.safetensors".split()
    assert sorted(path.name for path in (tmp_path / "hub").iterdir()) == names
    again = Reader.from_pretrained(tmp_path / "hub", device="cpu")
    a, b = (list(one.read_files(folder / "a.png", folder / "d.png")) for one in (reader, again))
    assert [one.found.prediction for one in a] == [one.found.prediction for one in b] != ["", ""]


def test_what_the_hub_brings_names_nets_of_the_library_alone(tmp_path, noisy, monkeypatch):
    save_weights(load_model(noisy), tmp_path / "hub")
    monkeypatch.setattr("dctc.reading.reader.snapshot_download", lambda *_, **__: tmp_path / "hub")
    outer = "dctc.models.AttentionRecognizer"
    within = {"class_path": outer, "init_args": {"encoder": {"class_path": "tiny.TinyNet"}}}
    dotted = {"class_path": outer, "init_args": {"encoder.class_path": "tiny.TinyNet"}}
    for net in (None, within, dotted):
        if net:
            config = yaml.safe_dump({"model": {"net": net}})
            (tmp_path / "hub" / "config.yaml").write_text(config)
        with pytest.raises(ValueError, match=r"net tiny\.TinyNet is none of dctc; it is not load"):
            Reader.from_pretrained("somebody/net")


def test_packaged_weights_have_names(noisy, tmp_path, monkeypatch, folder, capsys, refused):
    main(["export", str(noisy), "--to", "weights", "--out", str(tmp_path / "packaged" / "words")])
    monkeypatch.setattr(run_folder, "PACKAGED", tmp_path / "packaged")
    capsys.readouterr()
    main(["read", str(folder / "a.png"), "--model", "words"])
    assert capsys.readouterr().out.count("\t") == 2
    error = refused("read", folder / "a.png", "--model", "wrds")
    assert "wrds: no folder of a run or of weights" in error


def pretrained(folder, monkeypatch, characters, policy, own=CHARACTERS, charset="{}"):
    """A net of an installed package, with other characters than the file's, or the same."""
    (folder / "tiny_package").mkdir()
    (folder / "tiny_package" / "__init__.py").touch()
    write_recognizer(folder / "tiny_package", character="\n".join(own))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setitem(PRETRAINED, "tiny", ("tiny_package", "tiny.onnx"))
    (folder / "chars.txt").write_text("\n".join(characters), encoding="utf-8")
    options = {"source": "tiny", "charset_policy": policy}
    charset = charset.format(folder / "chars.txt")
    tokens = {"class_path": TOKENIZER, "init_args": {"charset": charset}}
    net = {"class_path": "dctc.models.OnnxRecognizer", "init_args": options}
    (folder / "net.yaml").write_text(yaml.safe_dump({"model": {"net": net, "tokenizer": tokens}}))
    return load_net(folder / "net.yaml")


@pytest.mark.parametrize(
    ("characters", "policy"), [("bA x", "new"), ("bA", "subset"), (CHARACTERS + " ", "keep")]
)
def test_a_pretrained_net_keeps_its_characters(tmp_path, monkeypatch, characters, policy):
    loaded = pretrained(tmp_path, monkeypatch, characters, policy)
    assert save_weights(loaded, tmp_path / "w", "float32") == 0
    assert load_model(tmp_path / "w").tokenizer.charset.characters == characters
    assert (tmp_path / "w" / "charset.txt").exists() == (policy != "keep")  # else by its name


def test_what_is_added_to_a_pretrained_net_is_kept_beside_its_own(tmp_path, monkeypatch):
    own = "\N{ANGSTROM SIGN}" + CHARACTERS[1:]  # a file of characters would compose it
    added = "\N{LATIN CAPITAL LETTER A WITH RING ABOVE}x"
    loaded = pretrained(tmp_path, monkeypatch, added, "union", own, "tiny+{}")
    assert save_weights(loaded, tmp_path / "w", "float32") == 0
    assert load_model(tmp_path / "w").tokenizer.charset.characters == own + " " + added


def test_a_net_of_ones_own_may_have_the_charset_of_a_pretrained_one(tmp_path, monkeypatch):
    own = "\N{ANGSTROM SIGN}\N{LATIN CAPITAL LETTER A WITH RING ABOVE}" + CHARACTERS[2:]
    pretrained(tmp_path, monkeypatch, "x", "union", own, "tiny+{}")
    net = {"class_path": "dctc.models.TimmRecognizer"}
    tokens = {"class_path": TOKENIZER, "init_args": {"charset": "tiny"}}
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump({"model": {"net": net, "tokenizer": tokens}}))
    assert save_weights(load_net(file), tmp_path / "w", "float32") == 0
    assert load_model(tmp_path / "w").tokenizer.charset.characters == own + " "
    assert not (tmp_path / "w" / "charset.txt").exists()


def test_weights_of_a_net_that_reads_by_attention(tmp_path):
    torch.manual_seed(0)
    net = AttentionRecognizer(37, FeatureNet(1), size=16, heads=2, max_length=4).eval()
    loaded = Loaded(net, CTCTokenizer("36"), "english36", (3, HEIGHT, WIDTH), False)
    encoder = {"class_path": "tiny.FeatureNet", "init_args": {"num_classes": 1}}
    options = {"encoder": encoder, "size": 16, "heads": 2, "max_length": 4}
    net = {"class_path": "dctc.models.AttentionRecognizer", "init_args": options}
    tokens = {"class_path": TOKENIZER, "init_args": {"charset": "36"}}
    loaded = loaded._replace(settings={"net": net, "tokenizer": tokens})
    assert save_weights(loaded, tmp_path / "w") < 0.01


def test_a_card_names_no_folder_of_somebody(noisy):
    config = (noisy / "config.yaml").read_text()
    (noisy / "config.yaml").write_text(config.replace("train/mine", "/home/somebody/words/train"))
    main(["export", str(noisy), "--to", "weights"])
    assert "train words/train |" in (noisy / "weights" / "README.md").read_text()
    command = ["dctc", "finetune", "/home/some body/words/train", "--from=/a/b/c.onnx", "x/y"]
    record = SimpleNamespace(about={"command": shlex.join(command)})
    assert _command(record) == "`dctc finetune words/train --from=b/c.onnx x/y`"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("/home/a/x.txt+/home/b/y.txt", "a/x.txt+b/y.txt"),
        ("/home/a/x:/home/b/y;/home/c/z", "a/x:b/y;c/z"),
        ("from /home/a b/x /home/b/y", "from a b/x b/y"),
        ("ppocr+/home/a/x.txt", "ppocr+a/x.txt"),
        ("https://a.org/b/c ~/d x/y", "https://a.org/b/c ~/d x/y"),
        ("file:///home/a/x", "file:a/x"),
        (["/home/a/x", 3], "a/x 3"),
    ],
)
def test_every_path_of_a_value_is_cut(value, shown):
    assert _flat(value) == shown


def test_weights_beyond_half_precision_stay_whole(noisy, tmp_path):
    loaded = load_model(noisy)
    with torch.no_grad():
        loaded.net.head.weight[0, 0] = 1e6
    save_weights(loaded, tmp_path / "w")
    assert load_model(tmp_path / "w").net.head.weight[0, 0] == 1e6


@pytest.mark.parametrize("content", [b"", b"no safetensors at all"])
def test_damaged_weights_are_refused_in_one_line(noisy, tmp_path, content):
    save_weights(load_model(noisy), tmp_path / "w")
    (tmp_path / "w" / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.safetensors: no safetensors file, or damaged"):
        load_model(tmp_path / "w")

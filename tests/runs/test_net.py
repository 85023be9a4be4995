"""Nets from configurations and checkpoints, without data, trainer or loss."""

from pathlib import Path

import pytest
import torch
import yaml

from dctc.runs.net import load_net
from tiny import TinyNet, final, make_module, same_weights, save_run

TINY = {"class_path": "tiny.TinyNet", "init_args": {"height": 8}}


@pytest.fixture
def write(tmp_path):
    def write(settings) -> Path:
        file = tmp_path / "config.yaml"
        file.write_text(settings if isinstance(settings, str) else yaml.safe_dump(settings))
        return file

    return write


def checkpoint_of(tmp_path, **options) -> tuple[Path, dict[str, torch.Tensor]]:
    """Write a checkpoint as a run does, and return the weights of its net too."""
    module = make_module(seed=3, **options)
    return final(save_run(tmp_path / "run", module, {})), module.net.state_dict()


def test_the_charset_sets_the_classes(write):
    tokenizer = {"class_path": "dctc.text.CTCTokenizer", "init_args": {"charset": "94"}}
    loaded = load_net(write({"model": {"net": TINY, "tokenizer": tokenizer}}))
    assert isinstance(loaded.net, TinyNet)
    assert loaded.net.num_classes == loaded.tokenizer.num_classes == 95
    assert load_net(write({"model": {"net": "tiny.PixelNet"}})).net.num_classes == 37


@pytest.mark.parametrize(
    ("data", "width"),
    [
        ({"class_path": "dctc.data.document.DocumentDataModule"}, 128),
        ("dctc.data.chinese.ChineseDataModule", 256),
        (
            {
                "class_path": "dctc.data.document.DocumentDataModule",
                "init_args": {"source": "sroie", "width": None},
            },
            512,
        ),
        ({"class_path": "dctc.data.chinese.ChineseDataModule", "init_args": {}}, 256),
    ],
)
def test_a_width_that_is_not_given_is_that_of_the_data(write, data, width):
    assert load_net(write({"model": {"net": TINY}, "data": data})).image == (3, 32, width)


def test_protocol_and_image_are_those_of_the_run(write):
    arguments = {"height": 48, "width": 320, "grayscale": True, "keep_ratio": True}
    data = {"class_path": "x.Never", "init_args": arguments}
    loaded = load_net(write({"model": {"net": TINY, "protocol": "verbatim"}, "data": data}))
    assert loaded.protocol == "verbatim"
    assert (loaded.image, loaded.keep_ratio) == ((1, 48, 320), True)
    loaded = load_net(write({"model": {"net": TINY}}))
    assert (loaded.image, loaded.keep_ratio) == ((3, 32, 128), False)


def test_a_checkpoint_brings_its_weights(write, tmp_path):
    checkpoint, trained = checkpoint_of(tmp_path)
    config = write({"model": {"net": TINY}})
    torch.manual_seed(9)
    assert not same_weights(load_net(config).net.state_dict(), trained)
    assert same_weights(load_net(config, checkpoint).net.state_dict(), trained)


def test_with_a_checkpoint_no_pretrained_weights_are_fetched(write, tmp_path):
    """small_resnet has none, so that asking for them would be an error; nor files of weights."""
    checkpoint, _ = checkpoint_of(tmp_path)
    gone = {"encoder": "test_convnext", "encoder_options": {"checkpoint_path": "gone.pth"}}
    for options in ({"pretrained": True}, gone):
        net = {"class_path": "dctc.models.TimmRecognizer", "init_args": options}
        inner = {**net, "init_args": {"num_classes": 37, **options}}
        reads = {"class_path": "dctc.models.AttentionRecognizer", "init_args": {"encoder": inner}}
        for chosen, name in ((net, "TimmRec"), (reads, "Attention")):
            config = write({"model": {"net": chosen}})
            with pytest.raises((ValueError, OSError), match=r"no pretrained weights|no file gone"):
                load_net(config)
            with pytest.raises(ValueError, match=rf"final\.ckpt: Error.*state_dict for {name}"):
                load_net(config, checkpoint)


def test_a_checkpoint_of_another_charset(write, tmp_path):
    tokenizer = {"class_path": "dctc.text.CTCTokenizer", "init_args": {"charset": "62"}}
    config = write({"model": {"net": TINY, "tokenizer": tokenizer}})
    checkpoint, _ = checkpoint_of(tmp_path)
    with pytest.raises(ValueError, match=r"final\.ckpt: the checkpoint reads 36 .* tokenizer 62"):
        load_net(config, checkpoint)


class Unsafe:
    """What a pickle could run."""

    def __reduce__(self):
        return (print, ("code of the checkpoint ran",))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", {"state_dict": Unsafe()}, 3])
def test_what_is_no_checkpoint_is_refused_and_never_run(write, tmp_path, content, capsys):
    file = tmp_path / "bad.ckpt"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(content, file)
    with pytest.raises(ValueError, match=r"bad\.ckpt: no checkpoint") as refused:
        load_net(write({"model": {"net": TINY}}), file)
    assert "\n" not in str(refused.value)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("a: [", "config.yaml: not a YAML file"),
        ("3", "config.yaml: not a configuration"),
        ("model: 3", "names no model.net"),
        ({"model": {"loss": {"class_path": "dctc.losses.CTCLoss"}}}, "names no model.net"),
        ({"model": {"net": "tiny.Nope"}}, "has no attribute 'Nope'"),
        ({"model": {"net": {**TINY, "init_args": {"hight": 8}}}}, "'hight' is not accepted"),
        ({"model": {"net": TINY, "protocol": "x"}}, "protocol 'x': not one of english36"),
        ({"model": {"net": {"init_args": {"height": 8}}}}, "names no model.net"),
        ({"model": {"net": {**TINY, "init_args": 8}}}, "config.yaml: init_args: 8 is not names"),
        ({"model": {"net": TINY}, "data": {"init_args": 3}}, "init_args: 3 is not names"),
        ({"model": {"net": {"class_path": 5}}}, "config.yaml: class_path 5 is no class"),
    ],
)
def test_a_configuration_without_a_net_is_refused_in_one_line(write, settings, message):
    with pytest.raises(ValueError, match=message) as refused:
        load_net(write(settings))
    assert "\n" not in str(refused.value)

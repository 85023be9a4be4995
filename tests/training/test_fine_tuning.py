"""Weights to start from by character, and backbones that are frozen or learn more slowly."""

import copy
from collections import Counter

import pytest
import torch
from timm.models import group_parameters
from torch import nn

from dctc.models import OnnxRecognizer, TimmRecognizer
from dctc.runs.configuration import image_options
from dctc.runs.folder import digest
from dctc.runs.key import run_key
from dctc.runs.net import start_from
from dctc.text import CTCTokenizer
from dctc.training.results_writer import writer_of_run
from dctc.training.schedule import LAYERS, FineTuning, SparingAdamW
from models.onnx_graphs import CHARACTERS, write_recognizer
from tiny import TinyNet, config, final, fit, make_module, noise_batch, save_run, weights


@pytest.fixture
def checkpoint(tmp_path):
    """A checkpoint with charset 36, and the weights of its net."""
    module = make_module(seed=3)
    return final(save_run(tmp_path / "run", module, {})), weights(module.net)


def module_of(charset, **options):
    tokenizer = CTCTokenizer(charset)
    return make_module(lambda _: TinyNet(tokenizer.num_classes), tokenizer=tokenizer, **options)


def test_a_net_starts_with_the_rows_of_the_characters_it_knows(checkpoint):
    file, old = checkpoint
    module = module_of("62")
    note = start_from(module, str(file.parents[1]), "union")
    assert note.endswith("run: 36 of 36 characters kept, 26 added, 0 dropped")
    new = module.net.state_dict()
    for name, value in old.items():
        assert torch.equal(new[name][:37] if name.startswith("head.") else new[name], value)
    mean = old["head.weight"][1:].mean(0)
    torch.testing.assert_close(new["head.weight"][37:], mean.expand(26, -1))


def test_a_charset_that_the_policy_does_not_allow(checkpoint):
    module = module_of("62")
    before = weights(module.net)
    message = r"init_policy keep does not allow .* 26 that it does not know"
    with pytest.raises(ValueError, match=message):
        start_from(module, str(checkpoint[0]), "keep")
    assert all(torch.equal(value, before[name]) for name, value in weights(module.net).items())


def test_weights_of_another_net_and_missing_ones(checkpoint, tmp_path):
    module = make_module(lambda classes: TinyNet(classes, height=16))
    with pytest.raises(ValueError, match=r"final\.ckpt: it is of another net: "):
        start_from(module, str(checkpoint[0]), "keep")
    with pytest.raises(FileNotFoundError, match=r"final\.ckpt: no such checkpoint"):
        start_from(module, str(tmp_path), "keep")


def test_the_weights_that_a_run_starts_from_are_in_its_key(checkpoint, tmp_path):
    file, _ = checkpoint
    plain = {"seed_everything": 0, **config()}
    keys = [run_key(plain), run_key(plain | {"init_from": None})]
    keys += [run_key(plain | {"init_from": str(path)}) for path in (file, file.parents[1])]
    file.write_bytes(file.read_bytes() + b"0")
    keys += [run_key(plain | {"init_from": str(file)})]
    assert keys[0] == keys[1] and keys[2] == keys[3]
    assert len(set(keys)) == 3


def test_a_fine_tuned_run_is_scored_without_what_it_started_from(
    checkpoint, runs, tmp_path, write_lmdb, encode_image, capsys
):
    write_lmdb(tmp_path / "mine", [(encode_image(i), b"ab") for i in range(5)])
    test = {"mine": [str(tmp_path / "mine")]}
    chosen = config("english", train=[], test=test) | {"init_from": str(checkpoint[0])}
    chosen["model"] |= {"protocol": "english36"}
    chosen["ckpt_path"] = str(checkpoint[0].rename(tmp_path / "tuned.ckpt"))
    written = writer_of_run({**chosen, "seed_everything": 0, "arm": "a"}, runs / "tuned", "test")
    said = capsys.readouterr().out
    assert f"init_from {checkpoint[0]}, by which" in said and said.count("tables leave") == 1
    assert written.run.endswith(digest(chosen["ckpt_path"]))
    with pytest.raises(FileNotFoundError, match="no such checkpoint"):  # needed to train
        writer_of_run({**chosen, "seed_everything": 0, "arm": "a"}, runs / "tuned", None)


def after(steps, tmp_path, **options):
    """Return the weights of a net before and after some steps."""
    module = make_module(**options)
    before = weights(module.net)
    batches = [noise_batch(["ab", "c"], seed) for seed in range(steps)]
    fit(tmp_path, module, batches)
    return before, weights(module.net)


def is_moved(steps, tmp_path, **options):
    before, now = after(steps, tmp_path, **options)
    return {name: not torch.equal(now[name], before[name]) for name in before}


@pytest.mark.parametrize(("freeze", "steps", "moves"), [("backbone", 2, 0), (2, 2, 0), (2, 3, 1)])
def test_a_frozen_backbone_stays(tmp_path, freeze, steps, moves):
    moved = is_moved(steps, tmp_path, freeze=freeze, schedule=lambda share: 1.0)
    assert moved["head.weight"] and moved["head.bias"]
    assert moved["patches.weight"] is moved["patches.bias"] is bool(moves)


def rates(optimizer):
    """Return the learning rate of each parameter by name, in the order of the groups."""
    groups = optimizer.param_groups
    return {name: group["lr"] for group in groups for name in group["param_names"]}


def nets(folder):
    yield TimmRecognizer(37, neck_size=8), "36"
    yield TimmRecognizer(37, "vit_tiny_patch16_224"), "36"
    (folder / "chars.txt").write_text(CHARACTERS + " ")
    yield OnnxRecognizer(str(write_recognizer(folder))), str(folder / "chars.txt")


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, SparingAdamW])
def test_groups_go_by_depth_whatever_the_net_and_the_optimizer(tmp_path, optimizer):
    for net, charset in nets(tmp_path):
        module = make_module(
            lambda _, net=net: net,
            tokenizer=CTCTokenizer(charset),
            optimizer=lambda named: optimizer(named, lr=0.01),
            layer_lr_decay=0.8,
        )
        found = rates(module.new_optimizer())
        names = [name for name, _ in module.named_parameters()]
        ordered = [found[name] for name in names]
        assert ordered == sorted(ordered) and len(found) == len(names)
        assert {n for n in names if found[n] == 0.01} == {"net.head.weight", "net.head.bias"}
        groups = min(LAYERS, len(names) - 2)
        assert sorted(set(ordered)) == pytest.approx([0.01 * 0.8**k for k in range(groups, -1, -1)])
        counts = Counter(ordered).values()
        assert max(list(counts)[:-1]) - min(list(counts)[:-1]) <= 1


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "mobilenetv3_small_100"])
def test_the_order_of_names_is_that_of_depth(name):
    encoder = TimmRecognizer(37, name).encoder.encoder
    depth = group_parameters(encoder, encoder.group_matcher(coarse=False), reverse=True)
    layers = [depth[name] for name, _ in encoder.named_parameters()]
    assert layers == sorted(layers) and len(set(layers)) > 5


@pytest.mark.parametrize(
    "options", [{"freeze": 2}, {"layer_lr_decay": 0.5}, {"freeze": "backbone"}]
)
def test_parameters_are_spared_as_without_fine_tuning(options):
    def optimizer(named):
        return SparingAdamW(named, weight_decay=0.05)

    module = make_module(optimizer=optimizer, **options)
    groups = module.new_optimizer().param_groups
    decay = {name: group["weight_decay"] for group in groups for name in group["param_names"]}
    trained = [n for n, p in module.named_parameters() if p.requires_grad]
    assert decay == {name: 0.0 if name.endswith("bias") else 0.05 for name in trained}


def test_a_backbone_that_is_frozen_for_some_steps_goes_on_at_its_rates(tmp_path):
    seen = []

    def optimizer(named):
        made = SparingAdamW(named, lr=0.5)
        made.register_step_pre_hook(lambda made, *_: seen.append(rates(made)))
        return made

    options = {"freeze": 1, "layer_lr_decay": 0.5, "schedule": lambda share: 1.0}
    after(2, tmp_path, optimizer=optimizer, **options)
    head = {"net.head.weight": 0.5, "net.head.bias": 0.5}
    assert seen == [
        {"net.patches.weight": 0.0, "net.patches.bias": 0.0, **head},
        {"net.patches.weight": 0.125, "net.patches.bias": 0.25, **head},
    ]


def test_parameters_of_no_layer_have_the_rate_of_the_last_one():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.queries = nn.Parameter(torch.zeros(2))
            self.encoder, self.head = nn.Linear(2, 2), nn.Linear(2, 2)

    net = Net()
    named = [*net.named_parameters()]
    made = FineTuning(net, None, 0.5).make(lambda groups: torch.optim.SGD(groups, lr=1.0), named)
    found = {p: group["lr"] for group in made.param_groups for p in group["params"]}
    assert [found[p] for p in net.encoder.parameters()] == [0.125, 0.25]
    assert found[net.queries] == 0.5 and found[net.head.weight] == 1.0


def test_statistics_of_a_frozen_backbone_stay():
    module = make_module(freeze="backbone").train()
    assert not module.net.patches.training and module.net.head.training


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"freeze": 0}, "freeze 0: give backbone, or steps"),
        ({"layer_lr_decay": 0.0}, "layer_lr_decay 0.0: a factor above 0 and up to 1"),
        ({"layer_lr_decay": 1.5}, "layer_lr_decay 1.5: a factor above 0 and up to 1"),
        ({"layer_lr_decay": 0.5, "freeze": "backbone"}, "freeze backbone trains the last layer"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        make_module(**options)


def test_images_follow_from_the_net(tmp_path):
    file = write_recognizer(tmp_path)
    net = {"class_path": "dctc.models.OnnxRecognizer", "init_args": {"source": str(file)}}
    english = {"class_path": "dctc.data.english.EnglishDataModule"}
    names = ("height", "width", "keep_ratio", "fill", "grayscale")
    english["init_args"] = dict.fromkeys(names) | {"grayscale": False}
    expected = {"height": 48, "width": 320, "keep_ratio": True, "fill": 128, "grayscale": False}
    assert image_options(net, english) == expected
    wide = copy.deepcopy(english)
    wide["init_args"]["width"] = 640
    assert "width" not in image_options(net, wide)  # it is the user's choice
    for name, value in (("height", 32), ("keep_ratio", False), ("fill", 0), ("grayscale", True)):
        bad = copy.deepcopy(english)
        bad["init_args"][name] = value
        said = f"{name} {value}: the net dctc.models.OnnxRecognizer needs {expected[name]}"
        with pytest.raises(ValueError, match=said):
            image_options(net, bad)
    assert OnnxRecognizer(str(file)).image_format.height == 48
    tiny = {"class_path": "tiny.TinyNet"}
    assert image_options(tiny, english) == {"height": 32, "width": 128, "keep_ratio": False}

"""A run's key knows what matters for its result, and nothing else."""

import copy
import importlib
import json
import os
import shutil
from pathlib import Path

import pytest

import dctc
from dctc.data.render.fonts import find_fonts
from dctc.data.rendered import RenderedDataModule
from dctc.runs import key as run_key_module
from dctc.runs.key import own_sources, run_key

CONFIG = {
    "seed_everything": 0,
    "name": "run",
    "log": "offline",
    "arm": "",
    "trainer": {
        "accelerator": "cpu",
        "devices": 1,
        "num_nodes": 1,
        "strategy": "auto",
        "logger": None,
        "log_every_n_steps": 10,
        "enable_progress_bar": None,
        "default_root_dir": None,
        "max_steps": 800,
        "precision": None,
        "gradient_clip_val": 5.0,
        "callbacks": [
            {
                "class_path": "dctc.training.callbacks.DCTCCallback",
                "init_args": {"distill_weight": 0.1, "estimator": "likelihood"},
            }
        ],
    },
    "model": {
        "net": {"class_path": "dctc.models.TimmRecognizer", "init_args": {"neck_size": 0}},
        "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.003}},
        "protocol": "english36",
    },
    "data": {
        "class_path": "dctc.data.english.EnglishDataModule",
        "init_args": {"train": ["MJ"], "batch_size": 64, "num_workers": 2, "data_root": None},
    },
}
CALLBACK = ("trainer", "callbacks", 0, "init_args")
PROGRESS = {"class_path": "pytorch_lightning.callbacks.TQDMProgressBar", "init_args": {}}
CHECKPOINT = {"class_path": "lightning.pytorch.callbacks.ModelCheckpoint", "init_args": {"a": 1}}
AVERAGE = {
    "class_path": "pytorch_lightning.callbacks.StochasticWeightAveraging",
    "init_args": {"swa_lrs": 0.1},
}


def key_with(*path, value):
    config = copy.deepcopy(CONFIG)
    *outer, last = path
    inner = config
    for step in outer:
        inner = inner[step]
    inner[last] = value
    return run_key(config)


RENDERED = "dctc.data.rendered.RenderedDataModule"


def key_of_drawn(**init_args):
    return key_with("data", value={"class_path": RENDERED, "init_args": init_args})


def key_with_callback(callback):
    return key_with("trainer", "callbacks", value=[*CONFIG["trainer"]["callbacks"], callback])


def reordered(value):
    """The same settings, written in the opposite order."""
    if isinstance(value, dict):
        return {key: reordered(inner) for key, inner in reversed(value.items())}
    return [reordered(inner) for inner in value] if isinstance(value, list) else value


def test_a_key_is_fit_for_a_file_name_and_the_same_everywhere():
    assert run_key(CONFIG) == run_key(reordered(CONFIG))
    assert len(run_key(CONFIG)) == 16
    int(run_key(CONFIG), 16)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("name",), "another"),
        (("log",), "off"),
        (("arm",), "mine"),
        (("trainer", "accelerator"), "gpu"),
        (("trainer", "log_every_n_steps"), 1),
        (("data", "init_args", "num_workers"), 8),
        (("data", "init_args", "data_root"), "/elsewhere"),
        (("data", "init_args", "rotate_tall"), "off"),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else str(value),
)
def test_what_changes_no_result_does_not_change_the_key(path, value):
    assert key_with(*path, value=value) == run_key(CONFIG)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("seed_everything",), 1),
        (("model", "optimizer", "init_args", "lr"), 0.001),
        (("trainer", "max_steps"), 801),
        (("trainer", "precision"), "bf16-mixed"),
        (("trainer", "limit_test_batches"), 1),
        (("trainer", "callbacks"), None),
        ((*CALLBACK, "distill_weight"), 0.0),
        (("data", "class_path"), "dctc.data.rendered.RenderedDataModule"),
        (("data", "init_args", "batch_size"), 128),
        (("data", "init_args", "rotate_tall"), "left"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else str(value),
)
def test_what_changes_results_changes_the_key(path, value):
    assert key_with(*path, value=value) != run_key(CONFIG)


def test_callbacks_that_look_on_do_not_change_the_key_and_others_do():
    assert key_with_callback(PROGRESS) == key_with_callback(CHECKPOINT) == run_key(CONFIG)
    assert key_with_callback(AVERAGE) != run_key(CONFIG)


def test_a_new_recipe_version_changes_every_key(monkeypatch):
    before = run_key(CONFIG)
    monkeypatch.setattr(run_key_module, "RECIPE_VERSION", run_key_module.RECIPE_VERSION + 1)
    assert run_key(CONFIG) != before


def test_making_a_key_leaves_the_configuration_alone():
    config = copy.deepcopy(CONFIG)
    run_key(config)
    assert config == CONFIG


@pytest.mark.parametrize("off", [None, False])
@pytest.mark.parametrize(
    "path",
    [
        ("model", "compile"),
        ("model", "net", "init_args", "an_option_of_tomorrow"),
        ("trainer", "deterministic"),
        (*CALLBACK, "an_option_of_tomorrow"),
    ],
    ids=lambda path: ".".join(map(str, path)),
)
def test_an_argument_that_is_off_counts_as_absent(path, off):
    assert key_with(*path, value=off) == run_key(CONFIG)
    assert key_with(*path, value=True) != run_key(CONFIG)


def test_zero_is_not_off():
    path = (*CALLBACK, "warmup_steps")
    assert key_with(*path, value=0) != run_key(CONFIG)


def test_a_class_counts_by_its_name_and_not_by_its_module():
    path = ("model", "net", "class_path")
    assert key_with(*path, value="elsewhere.TimmRecognizer") == run_key(CONFIG)
    assert key_with(*path, value="dctc.models.CRNN") != run_key(CONFIG)
    assert key_with(*path, value="torch.nn.CTCLoss") != key_with(*path, value="dctc.CTCLoss")


def test_a_class_that_a_package_exports_counts_by_the_file_it_is_in(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / "exporting"
    package.mkdir()
    (package / "__init__.py").write_text("from .losses import Mine\n")
    keys = []
    for number in range(2):
        (package / "losses.py").write_text(f"class Mine:\n    number = {number}\n")
        keys.append(key_with("model", "net", "class_path", value="exporting.Mine"))
    assert keys[0] != keys[1]


def test_loaded_modules_of_ones_own_are_known_with_their_time(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "loaded_here.py"
    file.write_text("")
    assert str(file) not in own_sources()
    importlib.import_module("loaded_here")
    before = own_sources()
    os.utime(file, ns=(1, 1))
    after = own_sources()
    assert before[str(file)] != after[str(file)] == 1
    assert not any(name.startswith(str(Path(dctc.__file__).parent)) for name in after)


def test_a_set_below_the_data_root_counts_as_what_it_holds(tmp_path, monkeypatch):
    monkeypatch.setenv("DCTC_DATA", str(tmp_path))
    (tmp_path / "train").mkdir()
    keys = []
    for recipe in ({"kind": "a"}, {"kind": "b"}):
        (tmp_path / "train" / "recipe.json").write_text(json.dumps(recipe))
        keys += [
            key_with("data", "init_args", "train", value=[name])
            for name in ("train", str(tmp_path / "train"))
        ]
    assert keys[0] == keys[1] != keys[2] == keys[3]


@pytest.fixture
def keys_of_sets(tmp_path):
    """``keys_of_sets("train", recipe, ...) -> keys`` of runs on sets with these recipes."""

    def keys(option, *recipes):
        for number, recipe in enumerate(recipes):
            folder = tmp_path / f"{number}"
            folder.mkdir()
            (folder / "recipe.json").write_text(json.dumps(recipe))
            value = [str(folder)] if option == "train" else str(folder)
            yield key_with("data", "init_args", option, value=value)

    return keys


def test_stored_words_count_by_their_seed(keys_of_sets, tmp_path):
    recipes = {"seed": 0, "fonts": []}, {"seed": 0, "fonts": ["x"]}, {"seed": 1}
    first, same, other = keys_of_sets("stored", *recipes)
    assert first == same != other
    with pytest.raises(FileNotFoundError):
        key_with("data", "init_args", "stored", value=str(tmp_path / "not there"))


def converted(records):
    return {"kind": "svt-test", "result": {"taken": 647, "records": records}}


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        ({"seed": 0}, {"seed": 0}, {"seed": 1}),  # in other folders
        (  # without what drew them
            {"renderer": 3, "versions": {"python": "3.11.7"}, "result": {"taken": 4}},
            {"renderer": 3, "versions": {"python": "3.12.1"}},
            {"renderer": 3, "seed": 2},
        ),
        (converted(647), converted(647), converted(600)),  # as what came of them
    ],
    ids=["rendered", "versions", "converted"],
)
def test_sets_count_as_what_they_hold_and_not_as_where_they_lie(keys_of_sets, one, same, other):
    first, second, third = keys_of_sets("train", one, same, other)
    assert first == second != third


def test_files_of_words_and_folders_of_fonts_count_as_what_they_hold(tmp_path):
    def key(name, words, *fonts):
        (tmp_path / name).mkdir()
        (tmp_path / name / "words.txt").write_text(words)
        for font in fonts:
            shutil.copy(font.path, tmp_path / name)
        words = str(tmp_path / name / "words.txt")
        return key_of_drawn(words=words, fonts=str(tmp_path / name))

    one, other, *_ = find_fonts()
    first = key("a", "one two", one)
    assert first == key("b", "one two", one)
    assert len({first, key("c", "one three", one), key("d", "one two", one, other)}) == 3


def test_names_of_words_and_fonts_are_no_files(tmp_path, monkeypatch):
    def keys():
        return key_of_drawn(words="wordfreq"), key_of_drawn(fonts="system")

    before = keys()
    (tmp_path / "wordfreq").write_text("one two")
    (tmp_path / "system").mkdir()
    monkeypatch.chdir(tmp_path)
    assert keys() == before


def test_a_charset_counts_as_its_characters_and_not_as_where_its_file_lies(tmp_path):
    def key(file, characters):
        (tmp_path / file).write_text(characters, encoding="utf-8")
        path = str(tmp_path / file)
        config = copy.deepcopy(CONFIG)
        tokenizer = {"class_path": "dctc.text.CTCTokenizer", "init_args": {"charset": path}}
        config["model"]["tokenizer"] = tokenizer
        config["data"]["init_args"]["charset"] = path
        return run_key(config)

    assert key("a.txt", "ab\u4e00\n") == key("b.txt", "ab\u4e00") != key("c.txt", "a\u4e00b")
    assert key_with("data", "init_args", "charset", value="62") != run_key(CONFIG)


@pytest.mark.parametrize(
    ("version", "value", "changed"),
    [
        ("recipe_version", 99, {"en", "zh", "name", "words", "charset"}),
        ("language_versions", {"zh": 99}, {"zh"}),
        ("own_version", 99, {"words", "charset"}),  # of a user's files
    ],
)
def test_drawn_words_count_with_their_versions(monkeypatch, tmp_path, version, value, changed):
    file = tmp_path / "file.txt"
    file.write_text("abc")
    drawn = {"en": {"language": "en"}, "zh": {"language": "zh"}, "name": {"words": "wordfreq"}}
    drawn |= {"words": {"words": str(file)}, "charset": {"charset": str(file)}}

    def keys():
        return {"lmdb": run_key(CONFIG), **{k: key_of_drawn(**v) for k, v in drawn.items()}}

    before = keys()
    monkeypatch.setattr(RenderedDataModule, version, value)
    assert {name for name, key in keys().items() if key != before[name]} == changed


def test_a_limit_of_batches_counts_the_same_whichever_way_it_was_read():
    def limited(name, value):
        return key_with("trainer", name, value=value)

    for name in ("limit_val_batches", "limit_test_batches", "overfit_batches"):
        assert limited(name, 2) == limited(name, 2.0) != limited(name, 3)
        assert limited(name, 1) != limited(name, 1.0)  # one batch, or all of them
    assert limited("limit_val_batches", None) == run_key(CONFIG)

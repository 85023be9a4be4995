"""Training words that the runs of a study share."""

import pytest
import yaml

from dctc.studies.stored_words import StoredWords

OWN = {"epoch_size": 50, "val_size": 2, "test_size": 2, "width": 64, "max_length": 4}


def test_words_are_drawn_once(tmp_path, runs):
    content = {
        "seed_everything": 3,
        "model": {"protocol": "english36"},
        "data": {"class_path": "dctc.data.rendered.RenderedDataModule", "init_args": OWN},
    }
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(content))
    words = StoredWords("words", (file,), {"data.init_args.epoch_size": 5, "trainer.max_steps": 1})
    assert words.folder == runs / "words" / "words-5"
    words.write()
    written = (words.folder / "data.mdb").stat().st_mtime_ns
    words.write()
    assert (words.folder / "data.mdb").stat().st_mtime_ns == written


def test_later_configurations_and_what_is_set_override(tmp_path, runs):
    model = {"protocol": "english62", "tokenizer": {"init_args": {"charset": "62"}}}
    contents = [
        {"data": {"init_args": {**OWN, "preset": "easy"}}, "seed_everything": 1},
        {"data": {"init_args": {"epoch_size": 9}}, "model": model},
    ]
    files = tuple(tmp_path / f"{i}.yaml" for i in range(2))
    for file, content in zip(files, contents, strict=True):
        file.write_text(yaml.safe_dump(content))

    def drawn(**changes):
        data = StoredWords("w", files, changes).data()
        return data.sizes["train"], data.seed, data.preset, *data.text.values()

    base = drawn()
    assert base[:3] == (9, 1, "easy") and {"62", "english62"} <= {*map(str, base[3:])}
    other = drawn(**{"model.tokenizer.init_args.charset": "36", "data.init_args.preset": "scene"})
    assert other[:3] == (9, 1, "scene") and {"36", "english62"} <= {*map(str, other[3:])}


def test_a_class_without_arguments_has_none_and_other_data_is_refused(tmp_path, runs):
    for name, content in {
        "class": {"data": "dctc.data.rendered.RenderedDataModule"},
        "size": {"data": {"init_args": {"epoch_size": 9}}},
        "english": {"data": {"init_args": {"train": ["MJ"]}}},
        "empty": None,
    }.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    files = [tmp_path / f"{name}.yaml" for name in ("class", "empty", "size", "english")]
    assert StoredWords("w", tuple(files[:3])).data().sizes["train"] == 9
    with pytest.raises(ValueError, match=r"english\.yaml: no data of rendered words: .*train"):
        StoredWords("w", tuple(files)).data()

import json

import numpy as np
import pytest
import torch

from dctc.data.records.batch import Batch
from dctc.data.records.sampler import Draw
from dctc.data.render.fonts import find_fonts
from dctc.data.rendered import RenderedDataModule
from tiny import run_python

DIGEST = """
import hashlib
from dctc.data.rendered import RenderedDataModule
from dctc.data.records.sampler import Draw
state = hashlib.sha256()
for preset in ("easy", "scene", "document"):
    data = RenderedDataModule(preset=preset)
    data.setup()
    for i in range(30):
        sample = data.train_set[Draw(0, i)]
        state.update(sample.image.tobytes() + sample.extents.tobytes() + sample.label.encode())
digest = state.hexdigest()
"""


def module(**options) -> RenderedDataModule:
    sizes = {"batch_size": 8, "epoch_size": 40, "val_size": 21, "test_size": 13, "num_workers": 0}
    data = RenderedDataModule(**(sizes | options))
    data.setup()
    return data


def equal(a: Batch, b: Batch) -> bool:
    tensors = a.image.equal(b.image) and a.width.equal(b.width)
    return tensors and (a.label, a.key) == (b.label, b.key)


def test_training_goes_on_and_evaluation_repeats():
    data = module()
    loader = data.train_dataloader()
    epochs = [[key for batch in loader for key in batch.key] for _ in range(2)]
    assert epochs[0] + epochs[1] == [f"rendered/0/train/{i}" for i in range(80)]
    assert data.val_names == data.test_names == ["rendered"]
    (val,), (test,) = data.val_dataloader(), data.test_dataloader()
    assert [len(batch.label) for batch in val] == [8, 8, 5]
    assert sum(len(batch.label) for batch in test) == 13
    assert all(equal(a, b) for a, b in zip(val, data.val_dataloader()[0], strict=True))
    found = {name: (of["labels"], of["left_out"]) for name, of in data.labels().items()}
    assert found == {"train": (40, {}), "rendered, validation": (21, {}), "rendered": (13, {})}


def test_batches_are_the_seams_batches():
    data = module(height=48, width=160, grayscale=True)
    batch = next(iter(data.train_dataloader()))
    assert batch.image.shape == (8, 1, 48, 160) and batch.image.dtype == torch.float32
    assert batch.image.min() >= -1 and batch.image.max() <= 1
    assert batch.extents.shape == (8, max(map(len, batch.label)), 2)


def test_validation_may_use_fonts_unseen_in_training():
    data = module(hold_out_fonts=True)
    train, val, test = (
        words.renderer.fonts
        for words in (data.train_set, data.val_sets["rendered"], data.test_sets["rendered"])
    )
    assert not {f.family for f in train} & {f.family for f in val} and val == test
    assert {f.path for f in train + val} == {f.path for f in find_fonts()}


def test_errors():
    with pytest.raises(ValueError, match="preset 'hard'"):
        module(preset="hard")
    with pytest.raises(ValueError, match="do not fill one batch"):
        module(epoch_size=4).train_dataloader()
    for wrong, message in (
        ({"seed": -1}, "seed -1: give 0 or more"),
        ({"val_size": -1}, "rendered words for val: -1; give 0 or more"),
        ({"height": 0}, "images of 0 x 128 pixels: words need 4 x 4"),
    ):
        with pytest.raises(ValueError, match=message):
            module(**wrong)


def test_workers_change_nothing():
    alone, shared = (
        list(module(num_workers=workers, augment=1.0, views=2).train_dataloader())
        for workers in (0, 2)
    )
    assert len(alone) == 5
    assert all(equal(a, b) for a, b in zip(alone, shared, strict=True))
    assert all(a.second.equal(b.second) for a, b in zip(alone, shared, strict=True))


def test_another_process_draws_the_same():
    here = {}
    exec(DIGEST, here)
    done = run_python("-c", DIGEST + "print(digest)", PYTHONHASHSEED="1")
    assert done.stdout.strip() == here["digest"], done.stderr


def test_stored_words_are_those_that_are_drawn(tmp_path):
    drawn = module(epoch_size=16, seed=5)
    drawn.store(tmp_path / "words")
    read = module(epoch_size=9, seed=6, stored=str(tmp_path / "words"))
    by_number = {sample.key: sample for sample in (read.train_set[i] for i in range(16))}
    assert len(read.train_set) == 16
    for number in range(16):
        ours, theirs = by_number[f"stored/{number + 1}"], drawn.train_set[Draw(0, number)]
        assert ours.label == theirs.label
        assert np.array_equal(ours.image, theirs.image)
        assert np.allclose(ours.extents, theirs.extents)
    # the held-out words are those of the stored words' seed, whatever the seed of the run
    assert equal(next(iter(read.val_dataloader()[0])), next(iter(drawn.val_dataloader()[0])))
    again = module(seed=7, stored=str(tmp_path / "words"))
    orders = [[key for b in m.train_dataloader() for key in b.key] for m in (read, again)]
    assert sorted(orders[0]) == sorted(by_number) and orders[0] != orders[1]


def test_stored_words_of_other_options_are_refused_and_of_other_versions_warned_of(tmp_path):
    module(epoch_size=16).store(tmp_path / "words")
    with pytest.raises(ValueError, match="drawn with max_length 12, not 5; give the same options"):
        module(max_length=5, stored=str(tmp_path / "words"))
    with pytest.raises(FileNotFoundError, match="no rendered words here"):
        module(stored=str(tmp_path))
    (tmp_path / "recipe.json").write_text('{"kind": "table"}')
    with pytest.raises(ValueError, match=r"recipe.json is not that of rendered words"):
        module(stored=str(tmp_path))
    recipe = tmp_path / "words" / "recipe.json"
    found = json.loads(recipe.read_text())
    found["versions"]["pillow"] = "1.0"
    recipe.write_text(json.dumps(found))
    with pytest.warns(UserWarning, match="words: drawn with other versions of pillow than those"):
        assert len(module(stored=str(tmp_path / "words")).train_set) == 16
    with pytest.warns(UserWarning, match="other versions of pillow"):
        module(epoch_size=16).store(tmp_path / "words")
    assert json.loads(recipe.read_text()) == found

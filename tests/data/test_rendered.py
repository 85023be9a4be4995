import json
import os
import pickle
import string
import subprocess
import sys

import numpy as np
import pytest
import torch

from dctc.data.records.batch import Batch, collate
from dctc.data.records.sampler import Draw, StepBatchSampler, StepDataLoader
from dctc.data.render import rendered_words
from dctc.data.render.fonts import Font, find_fonts
from dctc.data.render.rendered_words import RenderedWords, label_extents
from dctc.data.render.renderer import WordRenderer
from dctc.data.render.texts import is_held_out
from dctc.data.rendered import RenderedDataModule
from dctc.text.protocol import english36, english94


@pytest.fixture(scope="module")
def renderer() -> WordRenderer:
    return WordRenderer(find_fonts())


def module(**options) -> RenderedDataModule:
    sizes = {"batch_size": 8, "epoch_size": 40, "val_size": 21, "test_size": 13, "num_workers": 0}
    data = RenderedDataModule(**(sizes | options))
    data.setup()
    return data


def equal(a: Batch, b: Batch) -> bool:
    return (a.label, a.key) == (b.label, b.key) and all(
        torch.equal(x, y) for x, y in ((a.image, b.image), (a.width, b.width))
    )


def test_a_sample_depends_on_seed_split_and_number_only(renderer):
    words = RenderedWords("train", 10, renderer, seed=3)
    again = pickle.loads(pickle.dumps(RenderedWords("train", 99, renderer, seed=3)))
    one, same = words[Draw(0, 5)], again[Draw(7, 5)]
    assert (one.label, one.key) == (same.label, same.key) and one.key == "rendered/3/train/5"
    assert np.array_equal(one.image, same.image) and np.array_equal(one.extents, same.extents)
    other = [
        RenderedWords("train", 10, renderer, seed=4)[Draw(0, 5)],
        RenderedWords("val", 10, renderer, seed=3)[Draw(0, 5)],
        RenderedWords("test", 10, renderer, seed=3)[Draw(0, 5)],
        words[Draw(0, 6)],
    ]
    images = [s.image for s in [one, *other]]
    assert len({image.tobytes() for image in images}) == 5


def test_labels_are_in_the_charset_and_match_the_extents(renderer):
    allowed = string.digits + string.ascii_lowercase
    for name, protocol, characters in (
        ("36", "english36", allowed),
        ("94", "english94", allowed + string.ascii_uppercase + string.punctuation),
    ):
        words = RenderedWords("train", 10, renderer, charset=name, protocol=protocol)
        samples = [words[Draw(0, number)] for number in range(300)]
        assert all(len(s.label) == len(s.extents) for s in samples)
        seen = set("".join(s.label for s in samples))
        assert seen <= set(characters) and len(seen) > 0.8 * len(characters)


def test_labels_are_split(renderer):
    train = RenderedWords("train", 10, renderer)
    val = RenderedWords("val", 10, renderer)
    assert not any(is_held_out(train[Draw(0, i)].label) for i in range(100))
    assert all(is_held_out(val[Draw(0, i)].label) for i in range(100))


def test_grayscale_has_one_channel(renderer):
    colour = RenderedWords("val", 1, renderer)[Draw(0, 0)]
    gray = RenderedWords("val", 1, renderer, grayscale=True)[Draw(0, 0)]
    assert gray.image.shape == (32, 128, 1) and gray.image.dtype == np.uint8
    assert np.abs(gray.image[..., 0] - colour.image.mean(2)).mean() < 60


def test_extents_of_removed_characters_are_dropped():
    extents = np.arange(8, dtype=np.float32).reshape(4, 2)
    label, kept = label_extents("A-b!", extents, english36)
    assert label == "ab" and kept.tolist() == [[0, 1], [4, 5]]
    label, kept = label_extents("A-b!", extents, english94)
    assert label == "A-b!" and kept.tolist() == extents.tolist()
    assert label_extents("abcd", extents, lambda text: text[::-1]) == ("dcba", None)
    assert label_extents("abcd", extents, lambda text: 2 * text) == ("abcdabcd", None)


def test_errors_come_before_the_first_sample(renderer, tmp_path):
    with pytest.raises(ValueError, match="split='heldout'"):
        RenderedWords("heldout", 10, renderer)
    with pytest.raises(ValueError, match="language='fr': it is one of en, zh"):
        RenderedWords("train", 10, renderer, language="fr")
    with pytest.raises(ValueError, match="top_k=0"):
        RenderedWords("train", 10, renderer, top_k=0)
    with pytest.raises(ValueError, match="preset 'hard'"):
        module(preset="hard")
    (tmp_path / "upper.txt").write_text(string.ascii_uppercase)
    with pytest.raises(ValueError, match="maps no character to one of its"):
        RenderedWords("train", 10, renderer, charset=str(tmp_path / "upper.txt"))
    for preset in ("easy", "scene"):
        halves = WordRenderer([Font("half.ttf", frozenset(string.ascii_letters))], preset=preset)
        every = r"no font draws 0 \(U\+0030\), .*, 9 \(U\+0039\); tried half\.ttf; give"
        with pytest.raises(ValueError, match=every):
            RenderedWords("train", 10, halves)
    with pytest.raises(ValueError, match="do not fill one batch"):
        module(epoch_size=4).train_dataloader()


def test_presets_draw_what_the_protocol_drops(renderer):
    words = RenderedWords("train", 10, WordRenderer(renderer.fonts, preset="scene"))
    labels = [words[Draw(0, i)].label for i in range(200)]
    assert all(label and set(label) <= set(words.charset) for label in labels)
    texts = [words.words.draw(np.random.default_rng(i)) for i in range(300)]
    assert any(set(text) & set(string.punctuation) for text in texts)


def test_words_of_a_file_are_drawn(renderer, tmp_path):
    (tmp_path / "words.txt").write_text("\n".join(f"{a}street" for a in string.ascii_lowercase))
    words = RenderedWords("train", 10, renderer, words=str(tmp_path / "words.txt"))
    labels = [words[Draw(0, i)].label for i in range(100)]
    assert 0.6 < np.mean([label.endswith("street") for label in labels]) < 0.9


def test_chinese_lines_use_the_characters_that_the_fonts_have(renderer, tmp_path):
    (tmp_path / "alphabet.txt").write_text("0123456789abc汉字")
    options = {"charset": str(tmp_path / "alphabet.txt"), "protocol": "verbatim", "language": "zh"}
    with pytest.warns(
        UserWarning,
        match=r"2 of 15 .* in no font .*: 字 \(U\+5B57\), 汉 \(U\+6C49\); tried .*cmtt10; give",
    ):
        words = RenderedWords("train", 10, renderer, **options)
    assert set("".join(words[Draw(0, i)].label for i in range(40))) <= set("0123456789abc")
    drawn = {*string.ascii_letters, *string.digits, "汉", "字"}
    chinese = WordRenderer([Font(renderer.fonts[0].path, frozenset(drawn))], preset="scene")
    words = RenderedWords("train", 10, chinese, **options)
    samples = [words[Draw(0, i)] for i in range(60)]
    assert {"汉", "字"} <= set("".join(s.label for s in samples))
    assert all(len(s.extents) == len(s.label) for s in samples)
    (tmp_path / "words.txt").write_text("漢字")
    with pytest.raises(ValueError, match="none of the 1 words of the corpus is made of the 2 Chin"):
        RenderedWords("train", 10, chinese, **options, words=str(tmp_path / "words.txt"))
    assert words.left_out == ""
    with pytest.raises(ValueError, match="none of its 36 characters is Chinese"):
        RenderedWords("train", 10, renderer, language="zh")


def test_the_commonest_characters_come_without_symbols(renderer, tmp_path, monkeypatch):
    characters = "的一国、①é01ab"
    (tmp_path / "alphabet.txt").write_text(characters)
    monkeypatch.setattr(
        rendered_words, "character_frequencies", lambda: dict.fromkeys("的一国", 1.0)
    )
    every = WordRenderer([Font(renderer.fonts[0].path, frozenset(characters + "AB"))])
    options = {"charset": str(tmp_path / "alphabet.txt"), "language": "zh"}
    words = RenderedWords("train", 10, every, **options, protocol="chinese_fold", top_k=2)
    labels = "".join(words[Draw(0, i)].label for i in range(300))
    assert set(labels) == set("的一01ab")


def test_validation_may_use_fonts_unseen_in_training():
    data = module(hold_out_fonts=True)
    train, val, test = (
        words.renderer.fonts
        for words in (data.train_set, data.val_sets["rendered"], data.test_sets["rendered"])
    )
    assert not {f.family for f in train} & {f.family for f in val} and val == test
    assert {f.path for f in train + val} == {f.path for f in find_fonts()}


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
    assert data.drops("train") == data.drops("rendered") == {}
    with pytest.raises(ValueError, match=r"drops\('other'\): not set up"):
        data.drops("other")


def test_batches_are_the_seams_batches():
    data = module(height=48, width=160, grayscale=True)
    batch = next(iter(data.train_dataloader()))
    assert batch.image.shape == (8, 1, 48, 160) and batch.image.dtype == torch.float32
    assert batch.image.min() >= -1 and batch.image.max() <= 1
    assert batch.extents.shape == (8, max(map(len, batch.label)), 2)


def test_workers_change_nothing():
    alone = list(module().train_dataloader())
    shared = list(module(num_workers=2).train_dataloader())
    assert len(alone) == 5
    assert all(equal(a, b) for a, b in zip(alone, shared, strict=True))


@pytest.mark.slow
def test_spawned_workers_change_nothing(renderer):
    words = RenderedWords("train", 16, renderer)
    alone = [collate([words[Draw(i, i)] for i in range(k, k + 8)]) for k in (0, 8)]
    spawned = StepDataLoader(
        words,
        batch_sampler=StepBatchSampler(16, 8, seed=0, shuffle=False),
        num_workers=2,
        multiprocessing_context="spawn",
        collate_fn=collate,
    )
    assert all(equal(a, b) for a, b in zip(alone, spawned, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["easy", "scene", "document"])
def test_another_process_draws_the_same(preset):
    code = f"""
import hashlib
from dctc.data.rendered import RenderedDataModule
from dctc.data.records.sampler import Draw
data = RenderedDataModule(preset={preset!r})
data.setup()
state = hashlib.sha256()
for i in range(30):
    sample = data.train_set[Draw(0, i)]
    state.update(sample.image.tobytes() + sample.extents.tobytes() + sample.label.encode())
print(state.hexdigest())
"""
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for salt in ("1", "2")
    }
    assert len(digests) == 1


def test_stored_words_are_those_that_are_drawn(tmp_path):
    drawn = module(epoch_size=16, batch_size=8, seed=5)
    drawn.store(tmp_path / "words")
    read = module(epoch_size=9, batch_size=8, seed=6, stored=str(tmp_path / "words"))
    by_number = {sample.key: sample for sample in (read.train_set[i] for i in range(16))}
    assert len(read.train_set) == 16
    for number in range(16):
        ours, theirs = by_number[f"stored/{number + 1}"], drawn.train_set[Draw(0, number)]
        assert ours.label == theirs.label
        assert np.array_equal(ours.image, theirs.image)
        assert np.allclose(ours.extents, theirs.extents)
    # the held-out words are those of the stored words' seed, whatever the seed of the run
    assert equal(next(iter(read.val_dataloader()[0])), next(iter(drawn.val_dataloader()[0])))
    order = [[key for b in m.train_dataloader() for key in b.key] for m in (read, drawn)]
    assert sorted(order[0]) == sorted(by_number)
    again = module(batch_size=8, seed=7, stored=str(tmp_path / "words"))
    assert [key for b in again.train_dataloader() for key in b.key] != order[0]


def test_stored_words_of_other_options_are_refused(tmp_path):
    module(epoch_size=3).store(tmp_path / "words")
    with pytest.raises(ValueError, match="drawn with max_length 12, not 5; give the same options"):
        module(max_length=5, stored=str(tmp_path / "words"))
    with pytest.raises(FileNotFoundError, match="no rendered words here"):
        module(stored=str(tmp_path))


def test_stored_words_of_other_versions_are_read_with_a_warning(tmp_path):
    module(epoch_size=16).store(tmp_path / "words")
    recipe = tmp_path / "words" / "recipe.json"
    found = json.loads(recipe.read_text())
    found["versions"]["pillow"] = "1.0"
    recipe.write_text(json.dumps(found))
    with pytest.warns(UserWarning, match="words: drawn with other versions of pillow than those"):
        assert len(module(stored=str(tmp_path / "words")).train_set) == 16
    with pytest.warns(UserWarning, match="other versions of pillow"):
        module(epoch_size=16).store(tmp_path / "words")
    assert json.loads(recipe.read_text()) == found

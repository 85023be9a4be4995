"""Readings and their characters, whatever the batch; boxes against where characters are painted."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

from dctc.ctc import label_emissions, pack_labels, viterbi_alignment
from dctc.data.records.image_files import ImageFiles
from dctc.models import AttentionRecognizer
from dctc.reading.reader import Reader, spread
from dctc.runs.net import Loaded
from dctc.text import CTCTokenizer, greedy_decode
from dctc.text.decode import Run, character_runs
from tiny import HEIGHT, WIDTH, TinyNet, encode_text


def noise_files(folder, count=9):
    """Images of several aspect ratios."""
    random = np.random.default_rng(0)
    for i in range(count):
        shape = (HEIGHT * (1 + i % 3), int(random.integers(8, 3 * WIDTH)), 3)
        Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8)).save(folder / f"{i}.png")


def test_a_batch_reads_as_its_images_do_alone(tmp_path):
    noise_files(tmp_path)
    (tmp_path / "5.png").write_bytes(b"broken")
    torch.manual_seed(0)
    image = (3, HEIGHT, WIDTH)
    reader = Reader(Loaded(TinyNet(37), CTCTokenizer("36"), "english36", image, True), "cpu")
    images = ImageFiles(tmp_path, reader.size)
    with pytest.warns(UserWarning, match=r"5\.png: image cannot be decoded"):
        alone = list(reader.read(images, batch_size=1, characters=True))
        together = list(reader.read(images, batch_size=9, characters=True))
        among_others = list(reader.read(images, batch_size=4, characters=True))
    assert [read.number for read in alone] == list(range(9)) and len({*map(str, alone)}) == 9
    assert alone[5].found.key == "5.png" and "decoded" in alone[5].found.reason
    for other in (together, among_others):
        for a, b in zip(alone, other, strict=True):
            if a.number != 5:
                assert a.found[:3] == b.found[:3] and a.found.prediction
                assert a.found.confidence == pytest.approx(b.found.confidence, abs=1e-5)
                assert [c.limits for c in a.characters] == [c.limits for c in b.characters]


@torch.inference_mode()
def test_a_net_is_built_where_no_gradient_is_taken():
    reader = Reader.from_pretrained("scene_ctc", device="cpu")
    assert not any(p.is_inference() for p in reader.net.parameters())


def test_the_frames_of_characters_are_the_viterbi_alignment_of_the_reading():
    random = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(24, 40, 5, generator=random, dtype=torch.float64)
    frames = torch.randint(1, 25, (40,), generator=random)
    readings, runs = greedy_decode(logits, frames), character_runs(logits, frames)
    assert [[run.character for run in one] for one in runs] == [r.classes for r in readings]
    for one, reading in zip(runs, readings, strict=True):
        if one:  # the confidence is the geometric mean
            mean = np.exp(np.mean([np.log(run.probability) for run in one]))
            assert reading.confidence == pytest.approx(mean, abs=1e-6)
    lengths = torch.tensor([len(one) for one in runs])
    targets = torch.zeros(40, int(lengths.max()), dtype=torch.int64)
    for row, one in zip(targets, runs, strict=True):
        row[: len(one)] = torch.tensor([run.character for run in one])
    labels = pack_labels(logits, targets, frames, lengths, 0)
    emissions = label_emissions(logits, labels, 0)
    path = viterbi_alignment(emissions, labels, 0)
    found = torch.zeros_like(path)
    for k, one in enumerate(runs):
        for run in one:
            found[run.begin : run.end, k] = run.character
    valid = torch.arange(24)[:, None] < frames
    assert labels.feasible.all() and torch.equal(found[valid], path[valid])


def test_limits_of_characters_tile_the_word():
    assert spread([], 4, 64) == []
    assert spread([Run(1, 3, 4, 1.0)], 4, 50) == [(0, 50)]
    # a net that reads its padding may say where the image has ended
    beyond = [Run(1, 1, 2, 1.0), Run(1, 13, 14, 1.0), Run(1, 15, 16, 1.0)]
    assert spread(beyond, 4, 50) == [(0, 30), (30, 50), (50, 50)]
    random = np.random.default_rng(1)
    for _ in range(50):
        edges = sorted(random.choice(33, 8, replace=False).tolist())
        runs = [Run(1, *edges[i : i + 2], 1.0) for i in range(0, 8, 2)]
        limits = spread(runs, 4, 128)
        assert all(a[1] == b[0] for a, b in pairwise(limits))
        for (left, right), run in zip(limits, runs, strict=True):
            assert 0 <= left <= run.begin * 4 + 4 * (run.end - run.begin) / 2 <= right <= 128


def test_characters_of_a_net_without_frames_are_refused(tmp_path):
    net = AttentionRecognizer(37)
    loaded = Loaded(net, CTCTokenizer("36"), "english36", (3, 32, 128), False)
    (tmp_path / "a.png").write_bytes(encode_text("a"))
    reader = Reader(loaded, "cpu")
    images = ImageFiles(tmp_path, reader.size)
    with pytest.raises(ValueError, match="AttentionRecognizer reads by attention"):
        next(reader.read(images, characters=True))
    assert len(list(reader.read(images))) == 1

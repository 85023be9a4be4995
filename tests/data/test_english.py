import logging
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch

from dctc.data.english import EnglishDataModule
from dctc.data.lmdb_sets import UnionDataset
from dctc.data.records.sampler import Draw


@pytest.fixture
def root(tmp_path, write_lmdb, encode_image):
    def add(folder, labels):
        records = [(encode_image(i, 8, 8), label.encode()) for i, label in enumerate(labels)]
        write_lmdb(tmp_path / folder, records)

    add("english/test/SVT_647", ["one", "two", "...", "four", "five", "six"])
    add("english/test/CUTE80_288", ["a", "b"])
    add("english/train/SVT_257", ["x", "y", "!"])
    add("english/train/IC13_848", ["z"])
    add("synth/MJ/train", [f"m{i}" for i in range(7)])
    add("synth/ST", [f"s{i}" for i in range(5)])
    return tmp_path


def module(root, **options):
    defaults = {"data_root": str(root), "num_workers": 0, "batch_size": 4, "height": 8, "width": 16}
    return EnglishDataModule(**{**defaults, "allow_size_mismatch": True, **options})


def ready(root, stage=None, **options):
    data = module(root, **options)
    data.setup(stage)
    return data


def keys(loader):
    return [key for batch in loader for key in batch.key]


def test_training_unites_all_lmdbs_of_all_folders(root):
    data = ready(root, "fit", train=["synth/MJ", str(root / "synth/ST")])
    loader = data.train_dataloader()
    first, second = keys(loader), keys(loader)
    every = [f"synth/MJ/train/{i}" for i in range(1, 8)] + [f"synth/ST/{i}" for i in range(1, 6)]
    assert sorted(first) == sorted(second) == every
    assert first != second
    assert data.drops("train") == {}


def test_batches_say_how_wide_their_images_are(root, write_lmdb, encode_image):
    sizes = [(8, 8), (12, 8), (80, 8)]
    write_lmdb(root / "val", [(encode_image(0, *size), b"a") for size in sizes])
    for keep_ratio, widths in ((False, [16, 16, 16]), (True, [8, 12, 16])):
        data = ready(root, "validate", val={"val": ["val"]}, keep_ratio=keep_ratio)
        (batch,) = data.val_dataloader()[0]
        assert batch.width.tolist() == widths and batch.image.shape == (3, 3, 8, 16)


def test_validation_is_the_union_of_the_real_training_words(root):
    data = ready(root, "validate")
    assert data.val_names == ["real_train_words"]
    (loader,) = data.val_dataloader()
    assert keys(loader) == [
        "english/train/IC13_848/1",
        "english/train/SVT_257/1",
        "english/train/SVT_257/2",
    ]
    assert data.drops("real_train_words") == {"empty label after protocol": 1}


def test_validation_sets_can_be_named(root):
    data = ready(root, "validate", val={"synthetic": ["synth"], "svt": ["english/train/SVT_257"]})
    assert data.val_names == ["synthetic", "svt"]
    assert [len(keys(loader)) for loader in data.val_dataloader()] == [12, 2]


def test_without_validation_words_nothing_is_validated_and_that_is_said(root, caplog):
    data = ready(root / "synth", "validate")
    assert data.val_names == data.val_dataloader() == []
    assert "real_train_words: none of IIIT5K_2000" in caplog.text
    caplog.clear()
    assert ready(root, "validate", val={}).val_names == []
    assert not caplog.text


def test_benchmarks_are_tested_one_by_one_and_missing_ones_named(root, caplog):
    with caplog.at_level(logging.WARNING):
        data = ready(root, "test")
    assert data.test_names == ["SVT", "CUTE80"]
    svt, cute = data.test_dataloader()
    assert keys(svt) == [f"SVT/{i}" for i in (1, 2, 4, 5, 6)]
    assert keys(cute) == ["CUTE80/1", "CUTE80/2"]
    assert data.drops("SVT") == {"empty label after protocol": 1}
    lines = [record.getMessage() for record in caplog.records]
    missing = ["IIIT5K", "IC13_857", "IC15_2077", "IC15_1811", "SVTP"]
    assert [line.partition(":")[0] for line in lines] == missing
    assert all(f"not found below {root}" in line and "get it:" in line for line in lines)


def test_only_the_named_benchmarks_are_tested(root, caplog):
    assert ready(root, "test", test=["CUTE80"]).test_names == ["CUTE80"]
    assert not caplog.text


def test_test_needs_a_benchmark(root):
    with pytest.raises(ValueError, match="test: none of IIIT5K found below"):
        ready(root, "test", test=["IIIT5K"])


def test_a_benchmark_of_another_size_is_refused(root):
    with pytest.raises(ValueError, match="SVT: 6 records where 647 are expected"):
        ready(root, "test", allow_size_mismatch=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test": ["SVT50"]}, "'SVT50' is not one of IIIT5K, SVT"),
        ({"charset": "35"}, "charset '35'"),
        ({"protocol": "english35"}, "protocol 'english35'"),
    ],
)
def test_wrong_arguments_are_refused_at_once(root, options, message):
    with pytest.raises(ValueError, match=message):
        module(root, **options)


@pytest.mark.parametrize("folder", ["english/test/SVT_647", "english/test", "english", "."])
def test_test_sets_are_never_trained_on(root, folder):
    with pytest.raises(ValueError, match=r"train: .*test.* is a test set; never train on one"):
        ready(root, "fit", train=[folder])


def test_a_training_folder_that_does_not_exist(root):
    with pytest.raises(FileNotFoundError, match="train: 'synth/none' is neither a folder below"):
        ready(root, "fit", train=["synth/none"])


def test_a_training_folder_without_an_lmdb(root):
    (root / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"train: no LMDB \(data.mdb\) in or below"):
        ready(root, "fit", train=["empty"])


def test_a_training_set_listed_twice(root):
    with pytest.raises(ValueError, match="synth/ST is listed twice"):
        ready(root, "fit", train=["synth/ST", "synth"])


def test_training_needs_data(root):
    with pytest.raises(ValueError, match="train: no training data"):
        ready(root, "fit").train_dataloader()


def test_drops_of_an_unknown_set(root):
    with pytest.raises(ValueError, match=r"drops\('SVTP'\): not set up"):
        ready(root, "test").drops("SVTP")


def trainer(rank, world_size, use_distributed_sampler=False):
    connector = SimpleNamespace(use_distributed_sampler=use_distributed_sampler)
    return SimpleNamespace(
        global_rank=rank,
        world_size=world_size,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
        _accelerator_connector=connector,
    )


def test_processes_share_out_every_sample_once(root):
    alone = ready(root, train=["synth"])
    shares = []
    for rank in range(2):
        data = ready(root, train=["synth"])
        data.trainer = trainer(rank, 2)
        shares.append((keys(data.train_dataloader()), keys(data.test_dataloader()[0])))
    assert [(len(train), len(svt)) for train, svt in shares] == [(6, 3), (6, 2)]
    assert sorted(shares[0][1] + shares[1][1]) == keys(alone.test_dataloader()[0])
    assert sorted(shares[0][0] + shares[1][0]) == sorted(keys(alone.train_dataloader()))


def test_lightnings_own_sampler_is_refused(root):
    data = ready(root, "test")
    data.trainer = trainer(0, 2, use_distributed_sampler=True)
    with pytest.raises(ValueError, match="set use_distributed_sampler=False"):
        data.test_dataloader()


def test_a_batch_that_does_not_divide_is_refused(root):
    data = ready(root, "fit", train=["synth"])
    data.trainer = trainer(0, 3)
    with pytest.raises(ValueError, match=r"batch_size 4 .* does not divide by 3"):
        data.train_dataloader()


def test_a_union_hands_the_number_of_the_draw_on():
    class Echo(list):
        def __getitem__(self, draw):
            return len(self), draw

    union = UnionDataset([Echo("abc"), Echo("d"), Echo("ef")])
    assert len(union) == 6
    got = [union[Draw(i, 10 * i)] for i in range(6)]
    assert got == [
        (3, Draw(0, 0)),
        (3, Draw(1, 10)),
        (3, Draw(2, 20)),
        (1, Draw(0, 30)),
        (2, Draw(0, 40)),
        (2, Draw(1, 50)),
    ]
    assert union[4] == (2, Draw(0, 4))
    with pytest.raises(IndexError):
        union[6]
    with pytest.raises(ValueError, match="no data sets"):
        UnionDataset([])


class Recorder(pl.LightningModule):
    """Notes the keys of all batches that it is given."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = []

    def training_step(self, batch, batch_idx):
        self.seen.append(tuple(batch.key))
        return self.weight * batch.image.mean()

    def test_step(self, batch, batch_idx, dataloader_idx=0):
        self.seen.append((dataloader_idx, len(batch.key)))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def run(root, max_steps, checkpoint=None, num_workers=0):
    recorder = Recorder()
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    fit = pl.Trainer(accelerator="cpu", max_steps=max_steps, enable_checkpointing=False, **quiet)
    data = module(root, train=["synth"], val={}, num_workers=num_workers, seed=5)
    fit.fit(recorder, data, ckpt_path=checkpoint)
    return recorder, fit


@pytest.mark.filterwarnings("ignore::UserWarning:pytorch_lightning", "ignore:.*LeafSpec")
@pytest.mark.parametrize("stop", [2, 3, 4])  # within an epoch of three batches, at its end, beyond
def test_a_resumed_run_sees_the_batches_of_an_uninterrupted_one(root, tmp_path, stop):
    whole, _ = run(root, 8)
    begun, fit = run(root, stop, num_workers=1)
    fit.save_checkpoint(tmp_path / "half.ckpt")
    resumed, _ = run(root, 8, checkpoint=tmp_path / "half.ckpt")
    assert begun.seen + resumed.seen == whole.seen

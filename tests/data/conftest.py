"""A data root of tiny sets that the tests of the data modules share; nothing may write into it."""

import pytest

from dctc.data.chinese import ChineseDataModule
from dctc.data.document import DocumentDataModule
from dctc.data.english import EnglishDataModule

SETS = {
    "english/test/SVT_647": ["one", "two", "...", "four", "five", "six"],
    "english/test/CUTE80_288": ["a", "b"],
    "english/train/SVT_257": ["x", "y", "!"],
    "english/train/IC13_848": ["z"],
    "synth/MJ/train": [f"m{i}" for i in range(7)],
    "synth/ST": [f"s{i}" for i in range(5)],
    "chinese/scene_train": ["漢字", "\uff23\uff34\uff23 漢", "乾", "龘"],
    "chinese/scene_val": ["漢", "汉", "龘"],
    "chinese/scene_test": ["漢字", "汉字", "龘", "\uff21"],
    "chinese/web_train": ["字", "字", "字"],
    "chinese/web_test": ["字"],
    "chinese/test/TAIGI_Hanji_375": ["漢"],
    # 20 records: the tail of a tenth is two
    "document/train/FUNSD_words_21888": ["--", *(f"w{i}" for i in range(2, 19)), "...", "Last"],
    "document/test/FUNSD_words_8707": ["Test", "!", "two"],
    "document/train/SROIE_lines_27066": [f"LINE {i}" for i in range(1, 31)],
}


@pytest.fixture(scope="session")
def write_words(write_lmdb, encode_image):
    """``write_words(path, ["a", "b"]) -> path``, an LMDB of these labels."""

    def write(path, labels):
        records = [(encode_image(i, 8, 8), label.encode()) for i, label in enumerate(labels)]
        return write_lmdb(path, records)

    return write


@pytest.fixture(scope="session")
def sets(tmp_path_factory, write_words):
    """The data root."""
    root = tmp_path_factory.mktemp("sets")
    for name, labels in SETS.items():
        write_words(root / name, labels)
    (root / "alphabet.txt").write_text("漢汉字乾干cta", encoding="utf-8")
    return root


@pytest.fixture
def module(sets):
    """``module("english", train=[...]) -> EnglishDataModule`` of the data root, not set up."""
    kinds = {
        "english": EnglishDataModule, "chinese": ChineseDataModule, "document": DocumentDataModule
    }  # fmt: skip

    def make(kind, **options):
        usual = {"data_root": str(sets), "num_workers": 0, "batch_size": 4, "height": 8}
        if kind == "chinese":
            usual |= {"charset": str(sets / "alphabet.txt"), "batch_size": 2}
        return kinds[kind](**{**usual, "width": 16, "allow_size_mismatch": True, **options})

    return make


@pytest.fixture
def ready(module):
    """``ready("english", "fit", train=[...])`` of the data root, set up for a stage."""

    def make(kind, stage=None, **options):
        data = module(kind, **options)
        data.setup(stage)
        return data

    return make


@pytest.fixture
def read():
    """``read(loader) -> [(key, label), ...]``."""
    return lambda loader: [
        pair for batch in loader for pair in zip(batch.key, batch.label, strict=True)
    ]

"""Accuracy of recognisers that people install, and of ours, against words read per CPU second.

All get the encoded crops and compute on one CPU thread. RapidOCR and Tesseract prepare crops as
their packages' own calls do. Accuracy is on the six sets of scene words, protocol ``english36``.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module, metadata
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from torch.utils.data import Dataset

from dctc.bench.measure import cpu_threads, report
from dctc.data.benchmarks import find_benchmarks, open_benchmark
from dctc.data.catalogue import BENCHMARKS
from dctc.data.records.batch import Corrupt, Sample
from dctc.data.records.folders import data_root, read_record, reading
from dctc.data.records.image_size import ImageSize
from dctc.data.records.images import load_image
from dctc.onnx_files import PRETRAINED
from dctc.reading.reader import Reader
from dctc.results.plots import save_figure
from dctc.results.predictions import Prediction
from dctc.results.registry import runs_folder
from dctc.results.score import score
from dctc.tables import Table
from dctc.text import Charset, get_protocol

SETS = ("IIIT5K", "SVT", "IC13_857", "IC15_2077", "SVTP", "CUTE80")
PROTOCOL = "english36"
WORDS = {"tiny": 5, "smoke": 50, "small": 10**6}  # at most, of each set
TESSDATA = ("usr/share/tesseract-ocr/*/tessdata", "usr/share/tessdata", "usr/local/share/tessdata")
BATCH = 16  # crops that our nets read at a time

Images = Sequence[bytes]
Read = Callable[[Images], list[str]]


def bench_peers(scale: str) -> None:
    """Read scene words with each recogniser that is installed; print a table, draw a plot.

    Args:
        scale: How many words of each set.

    Raises:
        FileNotFoundError: If the sets are not there.
    """
    words = _words(WORDS[scale])
    rows, missing = [], []
    with cpu_threads(1):
        for name, make in READERS.items():
            try:
                read, settings = make()
            except (ImportError, OSError) as error:
                missing.append(f"{name}: {error}")
                continue
            rows.append({"reader": name, "settings": settings, **_measure(read, words)})
        for line in missing:
            print(f"left out, {line}")
        report("peers", scale, {"rows": rows}, peers_table)
    name = "peers.png" if scale == "small" else f"peers-{scale}.png"
    save_figure(peers_plot(rows), runs_folder() / "bench" / name)


def _words(most: int) -> dict[str, tuple[list[bytes], list[str]]]:
    """Return encoded crops and labels of each set, evenly spread over it."""
    root = data_root(None)
    found = find_benchmarks(root)
    if lacking := [name for name in SETS if name not in found]:
        raise FileNotFoundError(f"{root}: no {', '.join(lacking)}; dctc data list says what is")
    words, charset = {}, Charset.load("36")
    for name in SETS:
        data = open_benchmark(BENCHMARKS[name], found[name], protocol=PROTOCOL, charset=charset)
        numbers = data.numbers[:: max(1, -(-len(data) // most))].tolist()
        with reading(data.path) as transaction:
            stored = [read_record(transaction, number) for number in numbers]
        labels = [data.protocol((record.label or b"").decode()) for record in stored]
        words[name] = [record.image or b"" for record in stored], labels
    return words


def _measure(read: Read, words: dict[str, tuple[list[bytes], list[str]]]) -> dict[str, Any]:
    protocol, accuracy, seconds = get_protocol(PROTOCOL), {}, 0.0
    read([next(iter(words.values()))[0][0]])  # a first call allocates
    for name, (images, labels) in words.items():
        began = time.process_time()
        readings = read(images)
        seconds += time.process_time() - began
        lines = [Prediction("", *pair) for pair in zip(readings, labels, strict=True)]
        accuracy[name] = score(name, lines, protocol).rates()["accuracy"]
    total = sum(len(labels) for _, labels in words.values())
    mean = sum(accuracy.values()) / len(accuracy)
    return {"accuracy": accuracy, "mean": mean, "words": total, "words_per_s": total / seconds}


def rapidocr() -> tuple[Read, str]:
    """Return RapidOCR's recogniser with the model that its package brings."""
    from rapidocr import RapidOCR

    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    parts = {"Global.use_det": False, "Global.use_cls": False}
    # the least score of a reading that is not withheld
    engine: Any = RapidOCR(
        params={**threads, **parts, "Global.text_score": 0.0, "Global.log_level": "critical"}
    )

    def read(images: Images) -> list[str]:
        readings = []
        for image in images:
            bgr = np.ascontiguousarray(np.asarray(load_image(image))[:, :, ::-1])
            found = engine(bgr, use_det=False, use_cls=False, use_rec=True)
            readings.append(" ".join(found.txts or ()))
        return readings

    rec = engine.cfg.Rec
    model = f"{rec.ocr_version.value} {rec.model_type.value}"
    return read, f"rapidocr {metadata.version('rapidocr')}, {model}, one crop at a time"


def tesseract() -> tuple[Read, str]:
    """Return Tesseract with its English data, on crops as they are, each one line of text."""
    import tesserocr

    folders = [folder for pattern in TESSDATA for folder in Path("/").glob(pattern)]
    data = next((folder for folder in folders if (folder / "eng.traineddata").is_file()), None)
    if data is None:
        raise FileNotFoundError("no eng.traineddata; on Debian: apt-get install tesseract-ocr-eng")
    line = tesserocr.PSM.RAW_LINE
    engine = tesserocr.PyTessBaseAPI(path=str(data), lang="eng", psm=line)

    def read(images: Images) -> list[str]:
        readings = []
        for image in images:
            engine.SetImage(load_image(image))
            readings.append(engine.GetUTF8Text().strip())
        return readings

    version = tesserocr.tesseract_version().split("\n")[0].split()[-1]
    return read, f"Tesseract {version}, eng, page segmentation 13, raw crops"


def easyocr() -> tuple[Read, str]:
    """Return EasyOCR's English recogniser; its weights are downloaded by a first use."""
    from easyocr import Reader as EasyOcr

    with warnings.catch_warnings(action="ignore"):  # torch's, of quantised tensors
        engine = EasyOcr(["en"], gpu=False, detector=False, verbose=False)

    def read(images: Images) -> list[str]:
        readings = []
        with warnings.catch_warnings(action="ignore"):  # its loader pins memory for no device
            for image in images:
                grey = np.asarray(load_image(image, grayscale=True))
                readings.append(" ".join(engine.recognize(grey, detail=0)))
        return readings

    version = metadata.version("easyocr")
    return read, f"easyocr {version}, english_g2, quantised as by default, one crop at a time"


class Crops(Dataset[Sample | Corrupt]):
    """Encoded crops, as a :class:`~dctc.reading.reader.Reader` takes images."""

    def __init__(self, images: Images, size: ImageSize) -> None:
        self.images, self.size = images, size

    def __len__(self) -> int:
        return len(self.images)

    def key(self, index: int) -> str:
        """Return the number of a crop."""
        return str(index)

    def __getitem__(self, index: int) -> Sample | Corrupt:
        """Return a crop, decoded and resized."""
        return self.size.sample(self.images[index], "", self.key(index))


def ours(model: str) -> tuple[Read, str]:
    """Return a net of this library, as ``dctc read`` uses it, in batches."""
    if model in PRETRAINED:
        import_module("onnx")  # without it they are left out
    reader = Reader.from_pretrained(model, device="cpu")

    def read(images: Images) -> list[str]:
        crops: Any = Crops(images, reader.size)
        found = [read.found for read in reader.read(crops, BATCH)]
        return ["" if isinstance(one, Corrupt) else one.prediction for one in found]

    height, width = reader.size.height, reader.size.width
    return read, f"dctc read --model {model}, {height} x {width} pixels at most, batches of {BATCH}"


READERS: dict[str, Callable[[], tuple[Read, str]]] = {
    "RapidOCR": rapidocr,
    "Tesseract": tesseract,
    "EasyOCR": easyocr,
    "PP-OCRv6 in dctc": partial(ours, "ppocr_v6_small"),
    "PP-OCRv4 in dctc": partial(ours, "ppocr_v4_mobile"),
    "scene_ctc": partial(ours, "scene_ctc"),
    "scene_dctc": partial(ours, "scene_dctc"),
}


def peers_table(measured: dict[str, Any]) -> Table:
    """Return the table of what :func:`bench_peers` has written."""
    rows = [
        [
            row["reader"],
            *(f"{100 * row['accuracy'][name]:.1f}" for name in SETS),
            f"{100 * row['mean']:.1f}",
            f"{row['words_per_s']:.0f}",
        ]
        for row in measured["rows"]
    ]
    columns = ["recogniser", *SETS, "mean", "words/CPU s"]
    notes = [f"{row['reader']}: {row['settings']}." for row in measured["rows"]]
    words = max((row["words"] for row in measured["rows"]), default=0)
    about = f"Word accuracy in %, {PROTOCOL}, {words:,} words, one thread. {measured['hardware']}."
    return Table("Recognisers on scene words", columns, rows, [about, *notes])


def peers_plot(rows: Sequence[dict[str, Any]]) -> Figure:
    """Plot the mean accuracy of the six sets against the words read per CPU second."""
    figure = Figure(figsize=(5.4, 3.0), layout="constrained")
    axes = figure.subplots()
    for marker, row in zip(cycle("osD^vPX*"), sorted(rows, key=lambda row: -row["mean"])):
        x, y = row["words_per_s"], 100 * row["mean"]
        axes.plot(x, y, marker, label=row["reader"], markersize=7, alpha=0.8)
    axes.set(xlabel="words per CPU second", ylabel="word accuracy, six-set mean, %", xscale="log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_minor_formatter("")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False)
    return figure

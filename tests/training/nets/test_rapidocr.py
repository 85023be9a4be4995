"""RapidOCR with an exported net as its recogniser reads what ``dctc predict`` reads."""

import builtins
import csv

import numpy as np
import pytest
import torch
from PIL import Image

from dctc.cli import main
from dctc.data.render.fonts import find_fonts
from dctc.data.render.renderer import WordRenderer
from dctc.losses import CTCLoss
from dctc.models import OnnxRecognizer
from dctc.text import CTCTokenizer
from dctc.training.module import RecognizerModule
from tiny import save_run

WORDS = 200
# images as high as the net's, so that two ways to resize do not matter
WIDTHS = (96, 160, 240, 320)


@pytest.fixture
def words(tmp_path):
    """A folder of rendered words."""
    renderers = [WordRenderer(find_fonts(None), 48, width) for width in WIDTHS]
    names = sorted(dir(builtins), key=len)
    random = np.random.default_rng(0)
    (tmp_path / "words").mkdir()
    for k in range(WORDS):
        name = names[k % len(names)]
        pixels, _ = renderers[min(len(name) // 6, 3)].render(name, random)
        Image.fromarray(pixels).save(tmp_path / "words" / f"{k:03}.png")
    return tmp_path / "words"


@pytest.fixture
def run(tmp_path):
    """A run's folder: PP-OCR with another charset and other weights, as a training leaves it."""
    options = {"source": "ppocr_v6_small", "charset_policy": "subset"}
    net = OnnxRecognizer(charset="94", **options)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(1 + 0.01 * torch.randn_like(parameter))
    settings = {
        "net": {"class_path": "dctc.models.OnnxRecognizer", "init_args": options},
        "tokenizer": {"class_path": "dctc.text.CTCTokenizer", "init_args": {"charset": "94"}},
        "protocol": "verbatim",
    }
    module = RecognizerModule(net, CTCLoss(), CTCTokenizer("94"), protocol="verbatim")
    return save_run(tmp_path / "run", module, {"model": settings})


@pytest.mark.slow
def test_rapidocr_reads_with_an_exported_net(run, words, capsys):
    pytest.importorskip("cv2")
    rapidocr = pytest.importorskip("rapidocr")
    main(["predict", str(run), f"--images={words}", "--num_workers=0"])
    with (run / "images.tsv").open(newline="") as file:
        predicted = {row["key"]: row["prediction"] for row in csv.DictReader(file, delimiter="\t")}
    main(["export", str(run), "--to=onnx"])
    assert "checked: probabilities within" in capsys.readouterr().out

    reader = rapidocr.RapidOCR(params={"Rec.model_path": str(run / "net.onnx")})
    only = {"use_det": False, "use_cls": False, "use_rec": True, "text_score": 0.0}
    read = {
        file.name: "".join(reader(np.asarray(Image.open(file))[:, :, ::-1].copy(), **only).txts)
        for file in sorted(words.iterdir())
    }
    assert len(read) == WORDS
    assert {key: (read[key], text) for key, text in predicted.items() if read[key] != text} == {}
    assert len(set(read.values())) > 100  # it does read

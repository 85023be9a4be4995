"""What holds for the net of every shipped fragment when it is trained and when it is misused."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from dctc.data.records.batch import Sample, collate
from dctc.losses import CTCLoss
from dctc.losses.cross_entropy import CharacterCrossEntropy
from dctc.runs.net import load_net
from dctc.training.module import RecognizerModule
from tiny import Gradients, fit

FRAGMENTS = Path(__file__).parents[3] / "experiments/configs/model"
NAMES = sorted(file.stem for file in FRAGMENTS.glob("*.yaml"))
LARGE = ("svtr_base", "svtr_large")  # a second or more to build
EVERY = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in LARGE else []) for n in NAMES]
)
HAS_PRETRAINED = find_spec("rapidocr") is not None


def load(name):
    if name.startswith("ppocr") and not HAS_PRETRAINED:
        pytest.skip("the package rapidocr is not installed")
    return load_net(FRAGMENTS / f"{name}.yaml")


def module_of(name: str) -> RecognizerModule:
    torch.manual_seed(0)
    loaded = load(name)
    net = loaded.net.train()
    loss = CharacterCrossEntropy() if hasattr(net, "teach") else CTCLoss()
    optimizer = lambda parameters: torch.optim.SGD(parameters, lr=0.1)  # noqa: E731
    return RecognizerModule(net, loss, loaded.tokenizer, optimizer, lambda share: 1.0)


@EVERY
def test_a_step_gives_every_parameter_a_finite_gradient(tmp_path, name):
    """A parameter without one would stall several processes, or ask for find_unused_parameters."""
    random = torch.Generator().manual_seed(0)
    height = load(name).image[1]
    pixels = torch.randint(256, (2, height, 32, 3), dtype=torch.uint8, generator=random).numpy()
    batch = collate([Sample(pixels[0], "ab", "1"), Sample(pixels[1], "c", "2")])
    module, gradients = module_of(name), Gradients()
    before = module.net.head.weight.clone()
    trainer = fit(tmp_path, module, [batch], precision="bf16-mixed", callbacks=[gradients])
    found = gradients.found.items()
    assert [name for name, g in found if g is None or not g.isfinite().all()] == []
    assert trainer.callback_metrics["train/loss"].isfinite()
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    assert not torch.equal(module.net.head.weight, before)


FIXED_HEIGHT = ("crnn", "svtr", "ppocr")  # the others average what rows there are


@EVERY
def test_images_that_do_not_fit_are_refused_in_one_line(name):
    loaded = load(name)
    net, height = loaded.net, loaded.image[1]
    bad = {
        (2, 1, height, 64): "images have 1 channels, the net expects 3",
        (2, 3, height, 66): f"images are 66 wide, not a multiple of {8 if height == 48 else 4}",
        (3, 32, 64): r"images are of shape \(3, 32, 64\), the net expects \(n, ch, h, w\)",
    }
    if name.startswith(FIXED_HEIGHT):
        bad[(2, 3, 80 - height, 64)] = f"images are {80 - height} high, the net expects {height}"
    if name == "vit_tiny":
        bad[(2, 3, 36, 64)] = "images are 36 high, not a multiple of the patches' 8"
    for shape, message in bad.items():
        with pytest.raises(ValueError, match=f"^{message}$"):
            net(torch.zeros(shape))

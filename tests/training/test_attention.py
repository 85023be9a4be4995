"""A net that reads by attention, through the module, the Trainer and the command line."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn

from dctc.cli import main
from dctc.losses.cross_entropy import CharacterCrossEntropy
from dctc.models import AttentionRecognizer
from tiny import (
    FeatureNet,
    FixedData,
    Gradients,
    config,
    fit,
    make_module,
    make_trainer,
    noise_batch,
    of_class,
    with_corrupt,
    write_config,
)


def make():
    def net(num_classes):
        options = {"size": 16, "heads": 2, "max_length": 4}
        return AttentionRecognizer(num_classes, FeatureNet(1), **options)

    return make_module(net, loss=CharacterCrossEntropy())


@pytest.mark.parametrize("labels", [["ab", "c"], ["abcd", "abcde"], ["abcdef"], ["d"]])
def test_every_parameter_gets_a_gradient(tmp_path, labels):
    """Several processes would stall, or ask for find_unused_parameters."""
    gradients = Gradients()
    too_long = sum(len(label) > 4 for label in labels)
    message = f"{too_long} of {len(labels)} labels are longer than the 4 characters"
    with pytest.warns(UserWarning, match=message) if too_long else nullcontext():
        trainer = fit(tmp_path, make(), [noise_batch(labels)], callbacks=[gradients])
    found = gradients.found
    assert [name for name, gradient in found.items() if gradient is None] == []
    assert any(g.any() for g in found.values()) == (too_long < len(labels))
    assert trainer.callback_metrics["train/too_long"] == too_long
    assert "train/infeasible" not in trainer.callback_metrics


def test_the_training_loss_is_the_cross_entropy_of_the_label(tmp_path):
    batch = noise_batch(["ab", "c"])
    module = make()
    module.net.dropout.p = 0.0
    for part in module.net.decoder.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
        if isinstance(part, nn.MultiheadAttention):
            part.dropout = 0.0
    with torch.no_grad():
        expected = 0.0
        for i, label in enumerate([[11, 12], [13]]):
            features = module.net.features(batch.image[i : i + 1])
            for k, k_class in enumerate([*label, 0]):
                known = torch.tensor([label[:k]], dtype=torch.int64)
                scores = module.net.teach(features, known)[-1, 0]
                expected -= scores.log_softmax(0)[k_class].item()
    trainer = fit(tmp_path, module, [batch])
    assert trainer.callback_metrics["train/loss"].item() == pytest.approx(expected / 2, rel=1e-5)


def test_validates_tests_and_predicts(tmp_path):
    module = make()
    batches = [with_corrupt(noise_batch(["ab", "c"]), "set/9"), noise_batch(["abcde"], 7)]
    trainer = make_trainer(tmp_path)
    trainer.validate(module, FixedData(val={"set": batches}), verbose=False)
    assert trainer.callback_metrics["val/loss"] > 0
    read = {}
    for name in ("test", "predict"):
        data = FixedData(test={"set": batches})
        data.predict_dataloader = data.test_dataloader
        if name == "test":
            trainer.test(module, data, verbose=False)
            read[name] = module.outcomes["set"]
        else:
            read[name] = [o for part in trainer.predict(module, datamodule=data) for o in part]
    assert read["test"] == read["predict"] and len(read["test"]) == 3
    assert [corrupt.key for corrupt in module.corrupt["set"]] == ["set/9"]
    module.eval()
    (alone,) = module.read(batches[1], module.net.features(batches[1].image))
    assert alone.prediction == read["test"][2].prediction and len(alone.prediction) <= 4
    assert alone.confidence == pytest.approx(read["test"][2].confidence, rel=1e-5)


@pytest.fixture
def settings():
    settings = config(max_length=3)
    net, loss = "dctc.models.AttentionRecognizer", "dctc.losses.cross_entropy.CharacterCrossEntropy"
    settings["model"]["net"] = of_class(net, size=16, heads=2, max_length=3)
    settings["model"]["loss"] = of_class(loss, label_smoothing=0.1)
    return settings


def test_any_recogniser_can_be_the_encoder_on_the_command_line(tmp_path, runs, settings):
    encoder = of_class("dctc.models.TimmRecognizer", num_classes=1, neck_size=8)
    settings["model"]["net"]["init_args"]["encoder"] = encoder
    option = write_config(tmp_path / "attention.yaml", settings)
    main(["fit", option, "--log=off", "--trainer.fast_dev_run=1"])

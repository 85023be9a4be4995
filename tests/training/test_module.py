import warnings
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn

from dctc.data.records.batch import Corrupt, collate
from dctc.losses import CTCLoss
from dctc.text import CTCTokenizer
from dctc.training.callbacks import DCTCCallback
from dctc.training.module import RecognizerModule
from tiny import (
    FixedData,
    PixelNet,
    TinyNet,
    fit,
    make_module,
    make_trainer,
    noise_batch,
    same_weights,
    text_batch,
    weights,
    with_corrupt,
)


def test_a_net_with_other_classes_than_the_charset_is_refused():
    with pytest.raises(ValueError, match=r"the net has 36 classes, .* need 37"):
        RecognizerModule(TinyNet(36), CTCLoss(), CTCTokenizer("36"))


def test_torch_ctc_loss_is_given_log_probabilities_and_ours_logits(tmp_path):
    batch = noise_batch(["ab", "c"])
    losses = {}
    for loss in (nn.CTCLoss(reduction="sum"), CTCLoss(reduction="sum")):
        seen = []
        loss.register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs))
        trainer = fit(tmp_path, make_module(loss=loss), [batch])
        logits, targets, frames, lengths = seen[0]
        normalised = torch.allclose(logits.exp().sum(2), torch.ones(16, 2), atol=1e-5)
        assert normalised == (type(loss) is nn.CTCLoss)
        assert frames.tolist() == [16, 16] and lengths.tolist() == [2, 1]
        assert targets.tolist() == [[11, 12], [13, 0]]
        losses[type(loss)] = trainer.callback_metrics["train/loss"].item()
    log_probs = make_module()(batch.image).log_softmax(2)
    expected = nn.functional.ctc_loss(log_probs, targets, frames, lengths, reduction="sum")
    assert list(losses.values()) == pytest.approx([expected.item()] * 2, rel=1e-5)


def test_infeasible_labels_are_counted_and_warned_about_and_training_goes_on(tmp_path):
    # 16 frames: nine equal characters need 17, and 16 different ones fit
    labels = ["a" * 9, "abcdefghabcdefgh"], ["ab", "c"], ["a" * 9, "b" * 10]
    batches = [noise_batch(of) for of in labels]
    module = make_module()
    with pytest.warns(UserWarning, match="of 2 labels need more frames") as caught:
        trainer = fit(tmp_path, module, batches)
    counts = sorted(str(w.message)[:6] for w in caught if "images give" in str(w.message))
    assert counts == ["1 of 2", "2 of 2"]
    assert trainer.callback_metrics["train/infeasible"] == 3
    assert trainer.global_step == 3
    after, before = weights(module), weights(make_module())
    assert all(value.isfinite().all() for value in after.values())
    assert not torch.equal(after["net.head.weight"], before["net.head.weight"])


@pytest.mark.parametrize("zero_infinity", [True, False])
def test_infeasible_labels_make_torchs_loss_infinite_unless_told_not_to(tmp_path, zero_infinity):
    module = make_module(loss=nn.CTCLoss(zero_infinity=zero_infinity))
    effect = "add nothing" if zero_infinity else "set zero_infinity"
    ends = nullcontext() if zero_infinity else pytest.raises(ValueError, match="at step 0, so")
    with pytest.warns(UserWarning, match=effect), ends:
        trainer = fit(tmp_path, module, [noise_batch(["a" * 9, "b"])])
    if zero_infinity:
        assert trainer.callback_metrics["train/loss"].isfinite()
    else:  # nor is it saved
        with pytest.raises(ValueError, match="not finite at step 0"):
            module.on_save_checkpoint({})


def test_a_sum_over_samples_is_one_over_all_processes():
    """DDP takes the mean of the processes' gradients."""
    values = {}
    for reduction in ("sum", "batchmean"):
        for world_size in (1, 4):
            module = make_module(loss=CTCLoss(reduction=reduction))
            module.log = lambda *_, **__: None
            module._trainer = SimpleNamespace(
                world_size=world_size, datamodule=None, log_every_n_steps=0, global_step=0
            )
            value = module.training_step(noise_batch(["ab", "c"]), 0)
            values[reduction, world_size] = value.item()
    assert values["sum", 4] == pytest.approx(4 * values["sum", 1])
    assert values["batchmean", 4] == values["batchmean", 1]


def test_counts_are_summed_on_the_device_of_the_processes():
    """Lightning has moved the module to the CPU by the time of the last checkpoint."""
    module, seen = make_module(), []

    def reduce(counts, reduce_op):
        seen.append(counts.device.type)
        return torch.zeros(2)

    strategy = SimpleNamespace(root_device=torch.device("meta"), reduce=reduce)
    module._trainer = SimpleNamespace(strategy=strategy)
    module.on_save_checkpoint({})
    assert seen == ["meta"]


@pytest.mark.filterwarnings("ignore:.*more frames")
def test_counts_of_an_epoch_go_on_after_its_middle(tmp_path):
    batches = [with_corrupt(noise_batch(["a" * 9]), "set/1", "set/2")] * 3
    save = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=2, save_top_k=-1)
    options = {"callbacks": [save], "enable_checkpointing": True}
    for resume in (None, tmp_path / "step=2.ckpt"):
        trainer = fit(tmp_path, make_module(), batches, resume, **options)
        counts = [trainer.callback_metrics[f"train/{name}"] for name in ("infeasible", "corrupt")]
        assert counts == [3, 6]


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the two records
    UNREADABLE = collate([Corrupt("set/1", "image missing"), Corrupt("set/2", "no image")])


def test_a_batch_without_a_readable_record_ends_training_and_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none of the 2 records of batch 1 .* set/1: image miss"):
        fit(tmp_path, make_module(), [noise_batch(["ab"]), UNREADABLE])


def test_a_batch_without_a_readable_record_is_counted_when_scoring(tmp_path):
    batches = [text_batch([("a", "a")]), UNREADABLE, text_batch([("b", "")])]
    module = make_module(PixelNet)
    trainer = make_trainer(tmp_path)
    trainer.validate(module, FixedData(val={"set": batches}), verbose=False)
    assert trainer.callback_metrics["val/accuracy"] == 0.5
    trainer.test(module, FixedData(test={"set": batches}), verbose=False)
    assert trainer.callback_metrics["test/set/accuracy"] == 0.5
    assert [len(module.outcomes["set"]), len(module.corrupt["set"])] == [2, 2]
    data = FixedData(test={"set": batches})
    data.predict_dataloader = data.test_dataloader
    assert [len(outcomes) for outcomes in trainer.predict(module, datamodule=data)] == [1, 0, 1]


@pytest.mark.parametrize("length", [{"max_steps": -1, "max_epochs": -1}, {"max_steps": 0}])
def test_a_training_without_a_length_is_refused(tmp_path, length):
    with pytest.raises(ValueError, match="max_steps or max_epochs"):
        fit(tmp_path, make_module(), [noise_batch(["ab"])], **length)


A = [("one", "one"), ("two", "tow"), ("abcd", "abc")]  # hits 1 of 3, edits 0 + 2 + 1 of 10
B = [("x", "")]  # hits 0 of 1, edits 1 of 1
HAND_COUNTS = {
    "a/accuracy": 1 / 3,
    "a/cer": 3 / 10,
    "a/ned": (1 + 1 / 3 + 3 / 4) / 3,
    "b/accuracy": 0.0,
    "b/cer": 1.0,
    "b/ned": 0.0,
    "accuracy": 1 / 4,
    "cer": 4 / 11,
    "ned": (1 + 1 / 3 + 3 / 4 + 0) / 4,
}


@pytest.fixture
def scored() -> dict:
    """Set a in two batches of unequal size, set b in one."""
    return {"a": [text_batch(A[:2], "a"), text_batch(A[2:], "a")], "b": [text_batch(B, "b")]}


@pytest.mark.parametrize("stage", ["val", "test"])
def test_scores_of_sets_and_of_their_union_are_hand_counts(tmp_path, scored, stage):
    trainer = make_trainer(tmp_path)
    run = {"val": trainer.validate, "test": trainer.test}[stage]
    run(make_module(PixelNet), FixedData(**{stage: scored}), verbose=False)
    logged = {name: value.item() for name, value in trainer.callback_metrics.items()}
    assert logged.pop("val/loss", 0.0) >= 0.0
    assert logged == pytest.approx({f"{stage}/{k}": v for k, v in HAND_COUNTS.items()}, rel=1e-6)


def test_validation_loss_is_the_mean_over_samples(tmp_path, scored):
    module = make_module(PixelNet)
    trainer = make_trainer(tmp_path)
    trainer.validate(module, FixedData(val=scored), verbose=False)
    batch = text_batch(A + B)
    targets, lengths = module.tokenizer.encode(batch.label)
    log_probs = module(batch.image).log_softmax(2)
    frames = torch.full((4,), 16)
    expected = nn.functional.ctc_loss(log_probs, targets, frames, lengths, reduction="sum") / 4
    assert trainer.callback_metrics["val/loss"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_outcomes_are_those_of_the_last_test(tmp_path, scored):
    module = make_module(PixelNet)
    scored["a"][0] = with_corrupt(scored["a"][0], "a/77")
    for _ in range(2):
        make_trainer(tmp_path).test(module, FixedData(test=scored), verbose=False)
        read = {name: [o[:3] for o in outcomes] for name, outcomes in module.outcomes.items()}
        assert read == {
            "a": [("a/1", "one", "one"), ("a/2", "two", "tow"), ("a/1", "abcd", "abc")],
            "b": [("b/1", "x", "")],
        }
        assert [c.key for c in module.corrupt["a"]] == ["a/77"] and not module.corrupt["b"]


def test_predictions_pass_the_protocol_before_they_are_scored():
    module = RecognizerModule(PixelNet(95), CTCLoss(), CTCTokenizer("94"), protocol="english36")
    batch = text_batch([("its5", "")])
    batch.image[:] = -1.0
    for i, character in enumerate("It's5"):
        pixel = module.tokenizer.encode([character])[0].item()
        batch.image[0, :, :, 8 * i : 8 * i + 4] = pixel / 127.5 - 1
    (outcome,) = module.read(batch, module(batch.image))
    assert outcome.prediction == "its5"


def test_labels_pass_the_protocol_once_when_they_are_scored(tmp_path):
    """A label that training keeps as the image shows it is compared as the protocol has it."""
    batch = text_batch([("abc", "abc")])._replace(label=["A-b c"])
    module = make_module(PixelNet)
    trainer = make_trainer(tmp_path)
    trainer.test(module, FixedData(test={"set": [batch]}), verbose=False)
    (outcome,) = module.outcomes["set"]
    assert (outcome.label, outcome.prediction) == ("abc", "abc")
    assert trainer.callback_metrics["test/set/accuracy"] == 1.0


def test_sets_may_bear_any_name(tmp_path):
    right, wrong = (text_batch([("abc", label)]) for label in ("abc", "abd"))
    sets = {"all": [right], "eval": [wrong], "a.b": [right], "0": [right, wrong]}
    trainer = make_trainer(tmp_path)
    trainer.test(make_module(PixelNet), FixedData(test=sets), verbose=False)
    found = {name: trainer.callback_metrics[f"test/{name}/accuracy"].item() for name in sets}
    assert found == {"all": 1.0, "eval": 0.0, "a.b": 1.0, "0": 0.5}
    assert trainer.callback_metrics["test/accuracy"] == pytest.approx(3 / 5)


def test_parameters_of_a_loss_are_trained(tmp_path):
    class Learnt(CTCLoss):
        def __init__(self) -> None:
            super().__init__()
            self.temperature = nn.Parameter(torch.ones(()))

        def forward(self, logits, *args, **options):
            return super().forward(logits * self.temperature, *args, **options)

    module = make_module(loss=Learnt())
    fit(tmp_path, module, [noise_batch(["ab"])], max_steps=2)
    assert module.loss.temperature.item() != 1.0


@pytest.fixture
def checkpoint(tmp_path):
    batches, callbacks = [noise_batch(["ab", "c"])] * 2, [DCTCCallback(warmup_steps=3)]
    trainer = fit(tmp_path, make_module(), batches, callbacks=callbacks)
    trainer.save_checkpoint(tmp_path / "two_steps.ckpt")
    return tmp_path / "two_steps.ckpt"


@pytest.mark.parametrize("method", ["test", "fit"])
def test_a_checkpoint_of_another_charset_is_refused_in_one_line(tmp_path, checkpoint, method):
    # as many characters, so only the names can tell
    other = tmp_path / "other.txt"
    other.write_text("zyxwvutsrqponmlkjihgfedcba9876543210")
    module = make_module(tokenizer=CTCTokenizer(str(other)))
    before = weights(module)
    data = FixedData([noise_batch(["ab"])], test={"set": [noise_batch(["ab"])]})
    with pytest.raises(ValueError) as caught:
        run = getattr(make_trainer(tmp_path, max_steps=3), method)
        run(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    message = str(caught.value)
    assert "\n" not in message
    assert "0123456789ab" in message and "zyxwvutsrqpo" in message
    assert same_weights(weights(module), before)


def test_charsets_that_begin_alike_are_told_apart_where_they_part(tmp_path):
    ours = CTCTokenizer("36").charset.characters
    other = tmp_path / "other.txt"
    other.write_text(ours[:-2] + "zy")
    stored = {"charset": ours}
    message = "reads 36 characters, .* 36; from character 35 on they are 'yz' and 'zy'"
    with pytest.raises(ValueError, match=message):
        make_module(tokenizer=CTCTokenizer(str(other))).on_load_checkpoint(stored)


def test_widths_stay_on_the_cpu():
    batch = noise_batch(["ab", "c"])
    moved = make_module().transfer_batch_to_device(batch, torch.device("meta"), 0)
    assert moved.image.device.type == "meta"
    assert moved.width is batch.width

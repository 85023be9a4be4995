"""Losses that need more than logits and labels: frame features, and a teacher."""

import pytest
import torch
from torch import Tensor, nn

from dctc.data.records.batch import collate
from dctc.data.records.sampler import Draw
from dctc.data.rendered import RenderedDataModule
from dctc.losses import CenterCTCLoss, ConsistencyCTCLoss, CTCLoss, DCTCLoss, DistillationCTCLoss
from dctc.metrics.alignment import true_alignment
from dctc.training.needs import Teacher
from tiny import FeatureNet, TinyNet, fit, make_module, noise_batch, same_weights, weights

WORDS = ["ab", "cde", "f", "word"]
BATCHES = [noise_batch(WORDS, seed=10 * i) for i in range(4)]


class SplitNet(FeatureNet):
    """FeatureNet with batch statistics."""

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.norm = nn.BatchNorm1d(16)

    def features(self, images: Tensor) -> Tensor:
        patches = self.patches(images).squeeze(2)  # (n, 16, t)
        return torch.tanh(self.norm(patches)).permute(2, 0, 1)


def center():
    return CenterCTCLoss(37, 16, weight=0.2)


def distillation():
    return DistillationCTCLoss(weight=0.5, teacher_decay=0.6)


def step(module, batch):
    """Return outputs and loss of a batch, and its labels as a loss takes them."""
    outputs = module.objective.outputs(module, batch)
    targets, lengths = module.tokenizer.encode(batch.label)
    value = module.objective.loss(module, batch, outputs).value
    return outputs, value, (targets, [16] * len(lengths), lengths)


def test_features_are_those_that_the_head_makes_logits_of():
    module = make_module(SplitNet, loss=center())
    batch = BATCHES[0]
    features, value, labels = step(module, batch)
    assert features.shape == (16, 4, 16)
    logits = module.net.head(features)
    assert value.item() == pytest.approx(center()(logits, *labels, features=features).item())
    assert value > CTCLoss()(logits, *labels)
    plain = make_module(lambda c: module.eval().net)
    found = module.read(batch, module.objective.outputs(module, batch))
    assert found == plain.read(batch, plain.objective.outputs(plain, batch))


def test_the_teacher_is_the_moving_average_of_the_net(tmp_path):
    module = make_module(SplitNet, loss=distillation())
    mean = {name: p.detach().clone() for name, p in module.net.named_parameters()}
    assert same_weights(weights(module.teacher.module), weights(module.net))
    for step, batch in enumerate(BATCHES, 1):
        trainer = fit(tmp_path, module, [batch])
        a = min(0.6, 1 - 1 / (step + 1))
        for name, p in module.net.named_parameters():
            mean[name] = a * mean[name] + (1 - a) * p.detach()
            torch.testing.assert_close(module.teacher.module.state_dict()[name], mean[name])
        assert trainer.global_step == 1
    for found, own in zip(module.teacher.module.buffers(), module.net.buffers(), strict=True):
        assert torch.equal(found, own)


def test_the_teacher_follows_optimizer_steps_not_batches(tmp_path, monkeypatch):
    followed = []
    monkeypatch.setattr(Teacher, "update_parameters", lambda self, net: followed.append(net))
    fit(tmp_path, make_module(SplitNet, loss=distillation()), BATCHES, accumulate_grad_batches=2)
    assert len(followed) == 1 + 2  # when it is made, and after each step


def test_the_teacher_is_not_trained_and_reads_in_evaluation_mode(tmp_path):
    module = make_module(SplitNet, loss=distillation())
    trainer = fit(tmp_path, module, BATCHES)
    trained = sum(len(group["params"]) for group in trainer.optimizers[0].param_groups)
    assert trained == len(list(module.net.parameters()))
    assert all(p.grad is None and not p.requires_grad for p in module.teacher.parameters())
    before = weights(module.teacher)
    module.train()
    logits = module.teacher(BATCHES[0].image)
    assert not logits.requires_grad and same_weights(weights(module.teacher), before)
    assert torch.equal(logits, module.teacher.module.eval()(BATCHES[0].image))


@pytest.mark.parametrize("loss", [center, distillation])
def test_a_resumed_training_is_the_uninterrupted_one(tmp_path, loss):
    constant = {"loss": loss(), "schedule": lambda share: 1.0}
    whole, half = make_module(SplitNet, **constant), make_module(SplitNet, **constant)
    half.loss = loss()
    fit(tmp_path, whole, BATCHES[:2], max_epochs=2)
    checkpoint = tmp_path / "half.ckpt"
    fit(tmp_path, half, BATCHES[:2]).save_checkpoint(checkpoint)
    again = make_module(SplitNet, seed=1, **{**constant, "loss": loss()})
    trainer = fit(tmp_path, again, BATCHES[:2], checkpoint, max_epochs=2)
    assert trainer.global_step == 4
    assert same_weights(weights(again), weights(whole))
    assert any(name.startswith(("teacher.", "loss.")) for name in weights(whole))


def test_the_loss_of_validation_is_ctc_where_the_teacher_is_missing():
    outputs, found, labels = step(make_module(SplitNet, loss=distillation()).eval(), BATCHES[0])
    torch.testing.assert_close(found, CTCLoss()(outputs, *labels))


def test_what_cannot_be_given_is_refused():
    with pytest.raises(ValueError, match=r"CenterCTCLoss needs the features .* TinyNet"):
        make_module(nn_without_features, loss=center())
    strange = CTCLoss()
    strange.needs = frozenset({"views"})
    with pytest.raises(ValueError, match="CTCLoss needs views, which is none of features, align"):
        make_module(loss=strange)
    strange.needs = "features"
    with pytest.raises(ValueError, match="CTCLoss needs 'features': give a set of names"):
        make_module(loss=strange)


def with_second_view(batch):
    return batch._replace(second=batch.image.flip(2))


def test_two_views_are_read_in_one_pass_and_compared():
    loss = ConsistencyCTCLoss(weight=0.5)
    batch = with_second_view(BATCHES[0])
    outputs, value, (targets, _, lengths) = step(make_module(SplitNet, loss=loss).train(), batch)
    assert outputs.shape == (16, 8, 37)
    # the statistics of the batch norm are those of both views together
    both = make_module(SplitNet).train().net(torch.cat([batch.image, batch.image.flip(2)]))
    expected = loss(both[:, :4], targets, [16] * 4, lengths, second=both[:, 4:])
    assert value.item() == expected.item()
    assert value > CTCLoss()(both, targets.repeat(2, 1), [16] * 8, lengths.repeat(2))


def test_views_that_are_missing_or_to_spare_are_an_error_that_names_loss_and_data(tmp_path):
    pairs = [
        (BATCHES, ConsistencyCTCLoss(), "ConsistencyCTCLoss needs .* FixedData gives one"),
        (map(with_second_view, BATCHES), CTCLoss(), "FixedData gives two views .* CTCLoss needs"),
    ]
    for batches, loss, message in pairs:
        with pytest.raises(ValueError, match=message) as caught:
            fit(tmp_path, make_module(SplitNet, loss=loss), list(batches))
        assert "\n" not in str(caught.value)


def nn_without_features(num_classes):
    net = TinyNet(num_classes)
    net.scores = net.head
    del net.head
    return net


@pytest.fixture(scope="module")
def rendered_batch():
    """Return a batch of rendered words, with the extents of their characters."""
    sizes = {"batch_size": 4, "epoch_size": 4, "val_size": 1, "test_size": 1, "width": 64}
    data = RenderedDataModule(**sizes, max_length=4, num_workers=0)
    data.setup()
    return collate([data.train_set[Draw(i, i)] for i in range(4)])


def test_the_true_alignment_is_that_of_the_extents(rendered_batch):
    loss = DCTCLoss(distill_weight=0.5, estimator="given")
    module = make_module(lambda c: TinyNet(c, height=32), loss=loss)
    outputs, found, (targets, frames, lengths) = step(module, rendered_batch)
    alignment = true_alignment(rendered_batch.extents, targets, lengths, 16, 64, 0)
    assert (alignment > 0).any()
    estimated = DCTCLoss(distill_weight=0.5)
    expected = estimated(outputs, targets, frames, lengths, alignment=alignment)
    assert found.item() == expected.item()
    module.eval()  # as in validation on real words
    outputs, real, labels = step(module, rendered_batch._replace(extents=None))
    assert real.item() == pytest.approx(CTCLoss()(outputs, *labels).item())


def test_extents_that_are_missing_are_one_clear_error(tmp_path):
    module = make_module(SplitNet, loss=DCTCLoss(estimator="given"))
    with pytest.raises(ValueError, match=r"DCTCLoss needs the true .* FixedData") as e:
        fit(tmp_path, module, BATCHES)
    assert "\n" not in str(e.value) and "noise/0" in str(e.value)

import math

import pytest
import torch

from dctc.studies.diagnosis import diagnose
from tiny import PixelNet, make_module, text_batch


class Flat(PixelNet):
    """Holds all classes of all frames for equally probable."""

    def forward(self, images):
        return 0 * super().forward(images)


def test_a_net_that_is_sure_and_right():
    # 16 frames of which every second one of the first 2 s bears a character
    found = diagnose(make_module(PixelNet), [text_batch([("ab", "ab"), ("c", "c")])])
    assert found["aacc_label"] == 1.0
    assert found["greedy_blank_share"] == 29 / 32
    # the likelihood spreads a character over neighbours, where the best path has blanks
    spread = found["greedy_blank_share"] - found["blank_share"]
    assert spread == 3 / 32 and found["viterbi_agreement"] == 1 - spread
    p = math.exp(10) / (math.exp(10) + 36)
    q = (1 - p) / 36
    expected = -p * math.log(p) - 36 * q * math.log(q)
    assert found["frame_entropy"] == pytest.approx(expected, rel=1e-4)


def test_a_net_that_knows_nothing():
    found = diagnose(make_module(Flat), [text_batch([("ab", "")])])
    assert found["frame_entropy"] == pytest.approx(math.log(37), rel=1e-6)
    assert found["greedy_blank_share"] == 1.0  # of equal classes the lowest


def test_batches_count_by_their_frames_and_labels_that_do_not_fit_not_at_all():
    module = make_module(PixelNet)
    long = "aaaaaaaaaaaaaaaa"  # needs 31 of 16 frames
    batches = [text_batch([("ab", "ab")]), text_batch([("c", "c"), (long, "d")])]
    assert diagnose(module, batches)["greedy_blank_share"] == 29 / 32


def test_nothing_to_describe_is_refused():
    with pytest.raises(ValueError, match="no label fits"):
        diagnose(make_module(PixelNet), [text_batch([("a" * 16, "a")])])


def test_no_weight_is_changed():
    module = make_module(PixelNet)
    before = module.net.bias.clone()
    diagnose(module, [text_batch([("ab", "ab")])])
    assert torch.equal(module.net.bias, before) and module.net.bias.grad is None

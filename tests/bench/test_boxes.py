"""Character boxes of the packaged nets."""

import numpy as np

from dctc.bench.boxes import intersection_over_union


def test_boxes_lie_on_their_characters(bench):
    _, written = bench("boxes")
    assert [row["model"] for row in written["rows"]] == ["scene_ctc", "scene_dctc"]
    for row in written["rows"]:
        assert row["right"] > 10 and row["mean_iou"] > 0.6


def test_intersection_over_union():
    a, b = np.array([[0, 4], [0, 1], [2, 3]]), np.array([[2, 6], [5, 6], [2, 3]])
    assert intersection_over_union(a, b).tolist() == [2 / 6, 0, 1]

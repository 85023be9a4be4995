"""Each loss alone teaches a tiny net to read sixteen words; ACE, to count their characters."""

import copy

import pytest
import torch
from torch import nn

from dctc.losses import DCTCLoss, every_loss
from dctc.text import greedy_decode

WORDS = [
    "ab", "ba", "abc", "cab", "aab", "bcc", "dabc", "eed", "cede", "bead",
    "deed", "abba", "a", "ccc", "dace", "ebb",
]  # fmt: skip
CLASSES, FRAMES, SIZE, HIDDEN = 6, 20, 8, 32
ESTIMATED = {f"dctc_{name}": DCTCLoss(estimator=name) for name in ("greedy", "given")}
LOSSES = {**every_loss(CLASSES, HIDDEN), **ESTIMATED}


class Net(nn.Module):
    """Two convolutions over frames: logits, and the features that they are made of."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(SIZE, HIDDEN, 3, padding=1)
        self.second = nn.Conv1d(HIDDEN, HIDDEN, 3, padding=1)
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x):
        features = torch.relu(self.second(torch.relu(self.first(x)))).permute(2, 0, 1)
        return self.head(features), features


def written(word, shapes):
    """Three frames of each character's shape, and two of nothing: ``(SIZE, FRAMES)``."""
    image = torch.zeros(SIZE, FRAMES)
    for i, character in enumerate(word):
        image[:, 5 * i : 5 * i + 3] = shapes["abcde".index(character)][:, None]
    return image


@pytest.mark.slow
@pytest.mark.parametrize("name", LOSSES)
def test_sixteen_words_are_learnt(name):
    torch.manual_seed(0)
    images = torch.stack([written(word, torch.eye(SIZE)) for word in WORDS])
    images += 0.1 * torch.randn(images.shape)
    classes = [["_abcde".index(character) for character in word] for word in WORDS]
    alignment = torch.zeros(FRAMES, len(WORDS)).long()
    for i, label in enumerate(classes):
        for j, k in enumerate(label):
            alignment[5 * j : 5 * j + 3, i] = k
    targets = torch.tensor([k for label in classes for k in label])
    arguments = targets, [FRAMES] * len(WORDS), [len(word) for word in WORDS]
    loss, net = LOSSES[name], Net()
    teacher = copy.deepcopy(net).requires_grad_(False)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    steps = {"ace": 400, "prior": 250, "dctc_posterior": 250}.get(name, 120)
    for step in range(steps):
        logits, features = net(images)
        needed = {
            "features": lambda f=features: f,
            "second": lambda: net(images + 0.1 * torch.randn(images.shape))[0],
            "teacher": lambda: teacher(images)[0],
            "alignment": lambda: alignment,
        }
        extras = {key: needed[key]() for key in loss.needs}
        optimizer.zero_grad()
        loss(logits, *arguments, **extras).backward()
        optimizer.step()
        for mean, weight in zip(teacher.parameters(), net.parameters(), strict=True):
            mean.lerp_(weight.detach(), max(1 / (step + 2), 0.05))
    logits, _ = net(images)
    if name == "ace":
        counts = logits.softmax(2).sum(0).round().int()
        expected = [[label.count(k) for k in range(1, CLASSES)] for label in classes]
        assert counts[:, 1:].tolist() == expected
    else:
        readings = greedy_decode(logits, torch.tensor(arguments[1]))
        assert [reading.classes for reading in readings] == classes

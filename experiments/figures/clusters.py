"""Figure 4: features of characters that are confused, in each group the arms side by side."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dctc.data.records.batch import Batch
from dctc.data.render.corpora import is_chinese
from dctc.data.render.fonts import SYSTEM, find_fonts
from dctc.tables import Table
from dctc.text import CTCTokenizer
from dctc.training.objective import frame_limits
from experiments.figures import COLOURS, Arrays
from experiments.figures.cohesion import NEIGHBOURS, cohesion
from experiments.figures.confusion import confused_groups, substitutions
from experiments.figures.localization import NOWHERE, best_frames, character_posterior
from experiments.tables.alignments import over_runs

PERPLEXITY = 30  # van der Maaten & Hinton (JMLR 2008) name 5 to 50; fewer where points are few
GROUPS = 4  # that are drawn
LIMIT = 100  # occurrences of a character
LEAST = 20  # occurrences of a Chinese character: twice NEIGHBOURS; most have fewer
MARKERS = "osD^v"
PLANE = 1.75  # inches, the side of a panel
MEASURES = ("silhouette ↑", "neighbours alike ↑", "within / between ↓")  # better


def choose_groups(
    readings: Iterable[tuple[str, str]], labels: Sequence[str] | None = None
) -> list[str]:
    """Return the groups of characters that are confused most.

    Args:
        readings: Label and prediction of each sample.
        labels: If given, only Chinese characters count that occur :data:`LEAST` times in these.

    Raises:
        ValueError: If no character is predicted in place of another.
    """
    counts = substitutions(readings)
    if labels is not None:
        often = {c for c, n in Counter("".join(labels)).items() if n >= LEAST and is_chinese(c)}
        counts = Counter({pair: n for pair, n in counts.items() if often.issuperset(pair)})
    if not (found := confused_groups(counts, GROUPS)):
        raise ValueError("figure4: no character was confused with another, so there is no cluster")
    return found


@torch.no_grad()
def character_features(
    net: Any, tokenizer: CTCTokenizer, batches: Iterable[Batch], characters: str, limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the feature of the frame of each occurrence of some characters.

    The frame is that of the largest posterior of the occurrence, given the label. Of a character
    the first ``limit`` occurrences count. The CTC net is in evaluation mode.

    Returns:
        ``(m, d)`` float32 and ``(m,)`` characters, in the order of the words.
    """
    features: list[np.ndarray] = []
    found: list[str] = []
    seen: Counter[str] = Counter()
    for batch in batches:
        if not batch.label or all(seen[c] >= limit for c in characters):
            continue
        targets, lengths = tokenizer.encode(batch.label)
        hidden = net.features(batch.image)  # (t, n, d)
        frames = frame_limits(net, batch)
        weights = character_posterior(net.head(hidden), targets, frames, lengths)
        chosen = best_frames(weights, lengths)
        for i, label in enumerate(batch.label):
            for j, character in enumerate(label):
                frame = int(chosen[i, j])
                if character in characters and frame != NOWHERE and seen[character] < limit:
                    seen[character] += 1
                    features.append(hidden[frame, i].float().numpy())
                    found.append(character)
    return np.array(features), np.array(found)


def balanced(
    features: np.ndarray, found: np.ndarray, characters: str
) -> tuple[np.ndarray, np.ndarray]:
    """Keep the first ones of some characters, as many of each as the rarest has.

    The features are ``(m, d)``, the character of each ``(m,)``.

    Raises:
        ValueError: If one of them occurs less than twice.
    """
    counts = {c: int((found == c).sum()) for c in characters}
    rare = min(counts, key=lambda c: counts[c])
    if counts[rare] < 2:
        raise ValueError(f"cluster {characters!r}: {rare!r} occurs less than twice in the words")
    first = [np.flatnonzero(found == c)[: counts[rare]] for c in characters]
    kept = np.sort(np.concatenate(first))
    return features[kept], found[kept]


def embed(features: np.ndarray) -> np.ndarray:
    """Lay points ``(m, d)`` out in the plane, ``(m, 2)`` float32, by t-SNE from their PCA."""
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    plane = TSNE(2, perplexity=perplexity, init="pca", random_state=0, learning_rate="auto")
    return plane.fit_transform(features).astype(np.float32)


def cluster_arrays(
    arms: Sequence[Sequence[Any]],
    tokenizer: CTCTokenizer,
    batches: Sequence[Batch],
    groups: Sequence[str],
    limit: int = LIMIT,
) -> dict[str, np.ndarray]:
    """Return the arrays of Figure 4.

    Args:
        arms: Of each arm, its nets by seed; the first ones are drawn.
        tokenizer: Of all nets.
        batches: Words that no net was trained on.
        groups: The characters of each cluster.
        limit: Occurrences of a character at most.

    Returns:
        ``groups`` ``(g,)``; of cluster k ``points_<k>`` ``(arms, m, 2)`` and ``characters_<k>``
        ``(m,)``; ``cohesion`` ``(arms, seeds, g, 3)``, see
        :class:`experiments.figures.cohesion.Cohesion`.

    Raises:
        ValueError: If a word is given twice, whose features would be neighbours whatever the net.
    """
    times = Counter(key for batch in batches for key in batch.key)
    if twice := [key for key, n in times.items() if n > 1]:
        raise ValueError(f"clusters: {len(twice):,} words are given more than once, as {twice[0]}")
    arrays: dict[str, np.ndarray] = {"groups": np.array(groups)}
    measures, characters = [], "".join(groups)
    features = [
        [character_features(net, tokenizer, batches, characters, limit) for net in nets]
        for nets in arms
    ]
    for k, group in enumerate(groups):
        found = [[balanced(*of_net, group) for of_net in of_arm] for of_arm in features]
        arrays[f"characters_{k}"] = found[0][0][1]
        arrays[f"points_{k}"] = np.stack([embed(of_arm[0][0]) for of_arm in found])
        measures.append([[cohesion(*pair) for pair in of_arm] for of_arm in found])
    arrays["cohesion"] = np.array(measures).transpose(1, 2, 0, 3)
    return arrays


def draw_clusters(arrays: Arrays) -> Figure:
    """Draw Figure 4: a column for each group of characters, a row for each arm.

    Characters beyond ASCII are written with a font of the machine that draws all of them; if there
    is none, as code points such as U+5730.

    Args:
        arrays: Of :func:`cluster_arrays`, and ``arms`` ``(a,)``.
    """
    groups, arms = ([str(name) for name in arrays[key]] for key in ("groups", "arms"))
    font, names = _font_and_names("".join(groups))
    legend: dict[str, Any] = {"handletextpad": 0.0, "frameon": False, "markerscale": 1.3}
    legend |= {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "borderaxespad": 0.0}
    legend |= {"prop": {"family": ["monospace", *font], "size": 12}, "columnspacing": 0.8}
    size = max(4, len(groups)) * PLANE + 0.3, len(arms) * PLANE + 0.7
    figure = Figure(figsize=size, layout="constrained")
    with mpl.rc_context({"font.family": [*mpl.rcParams["font.family"], *font]}):
        grid = figure.subplots(len(arms), len(groups), squeeze=False)
        for k, group in enumerate(groups):
            for axes, points in zip(grid[:, k], arrays[f"points_{k}"], strict=True):
                _draw_plane(axes, points, arrays[f"characters_{k}"], group, names)
            grid[0, k].legend(**legend, ncols=len(group))
    for axes, arm in zip(grid[:, 0], arms, strict=True):
        axes.set_ylabel(arm, fontsize=9)
    fewest = min(len(arrays[f"characters_{k}"]) for k in range(len(groups)))
    less = ", or a third of the frames if they are few" if (fewest - 1) / 3 < PERPLEXITY else ""
    title = (
        f"t-SNE of the features of confused characters, one seed (perplexity {PERPLEXITY}{less})"
    )
    figure.suptitle(title, fontsize=9)
    return figure


def _font_and_names(characters: str) -> tuple[list[str], dict[str, str]]:
    """Return a font of the machine that draws characters, if any, and how each is written."""
    font = _font_of(characters)
    return font, {c: c if c.isascii() or font else f"U+{ord(c):04X}" for c in characters}


def _font_of(characters: str) -> list[str]:
    """Return the name of a font of the machine, known to matplotlib then; none for ASCII."""
    if characters.isascii():
        return []
    try:
        known, reason = find_fonts(SYSTEM), "no font of the machine draws all of them"
    except ValueError as error:
        known, reason = [], str(error)
    for font in sorted(known, key=lambda font: "hei" not in font.family.lower()):  # of even strokes
        if font.covers(characters):
            font_manager.fontManager.addfont(font.path)
            return [font_manager.FontProperties(fname=font.path).get_name()]
    warnings.warn(f"{characters}: {reason}; written as code points", stacklevel=4)
    return []


def _draw_plane(
    axes: Axes, points: np.ndarray, found: np.ndarray, group: str, names: dict[str, str]
) -> None:
    for character, colour, marker in zip(group, COLOURS, MARKERS, strict=False):
        style: dict[str, Any] = {"marker": marker, "color": colour, "alpha": 0.7, "linewidths": 0}
        x, y = points[found == character].T
        axes.scatter(x, y, s=14, label=names[character], **style)
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")  # as distances are what the plane shows
    axes.set_box_aspect(1)
    axes.margins(0.08)
    for spine in axes.spines.values():
        spine.set_color("#BBBBBB")


def cohesion_table(arrays: Arrays, by_font: bool = False) -> Table:
    """Return the measures of each group and arm over seeds, and their differences by seed.

    With ``by_font`` characters are written as :func:`draw_clusters` writes them.
    """
    measured = arrays["cohesion"]  # (arms, seeds, g, 3)
    seeds, arms = measured.shape[1], [str(arm) for arm in arrays["arms"]]
    every = "".join(map(str, arrays["groups"]))
    names = _font_and_names(every)[1] if by_font else dict(zip(every, every, strict=True))
    groups = [" ".join(names[c] for c in str(group)) for group in arrays["groups"]]
    rows = []
    for k, name in enumerate(groups):
        frames = f"{len(arrays[f'characters_{k}']):,}"
        of_group = dict(zip(arms, measured[:, :, k].swapaxes(1, 2), strict=True))  # (3, seeds) each
        for arm, values in of_group.items():
            rows.append([name, arm, frames, *(over_runs(of_measure, 3) for of_measure in values)])
        for arm in arms[1:]:
            gains = of_group[arm] - of_group[arms[0]]
            rows.append([name, f"{arm} - {arms[0]}", frames, *map(_gain, gains, MEASURES)])
    over = f"Mean ± standard deviation over {seeds} seeds" if seeds > 1 else "One seed"
    notes = [f"{over}; {NEIGHBOURS} nearest neighbours, Euclidean distance between features."]
    if len(arms) > 1:
        notes.append("Differences: mean, and in how many seeds it is an improvement.")
    columns = ["group", "net", "frames", *MEASURES]
    return Table(f"Confused characters: {', '.join(groups)}", columns, rows, notes, 2)


def _gain(gains: np.ndarray, measure: str) -> str:
    better = int(((gains > 0) if measure.endswith("↑") else (gains < 0)).sum())
    return f"{gains.mean():+.3f} ({better} of {len(gains)})"

"""Figures 1 to 4 of the paper and the demo's pictures: their arrays and their drawings."""

from collections.abc import Mapping

import numpy as np

Arrays = Mapping[str, np.ndarray]  # what a figure is drawn from, by name

# Okabe & Ito, "Color Universal Design" (2008): told apart with any colour vision
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
FONT_SIZE = 7.5  # points, of the smallest text of a figure that is as wide as a page
WIDTH = 7.3  # inches of a page

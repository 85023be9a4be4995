import numpy as np
import pytest

from dctc.data.augment import Augmentation, AugmentedDataset
from dctc.data.english import EnglishDataModule
from dctc.data.records.batch import Corrupt, Sample, collate
from dctc.data.records.sampler import Draw
from dctc.data.render.degrade import noise_bank
from dctc.data.rendered import RenderedDataModule
from dctc.data.warp import random_warp

HEIGHT, WIDTH = 32, 128
CELLS = 7  # characters of the marked image
# Soft edges of one are never another one
COLOURS = [[255 * (i & 1), 255 * (i >> 1 & 1), 255 * (i >> 2)] for i in range(1, CELLS + 1)]


def photo(height=HEIGHT, width=WIDTH, channels=3):
    """Smooth noise, so that every pixel of a warped image tells where it comes from."""
    noise = np.random.default_rng(0).random((height // 4 + 2, width // 4 + 2, channels))
    fine = np.kron(noise, np.ones((4, 4, 1)))[:height, :width]
    return (40 + 170 * fine).astype(np.uint8)


def marked(rows=slice(None)):
    """Cells of one colour each on black, in some rows, and their extents: gaps of 5 pixels."""
    image = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    extents = np.array([[18 * i + 3, 18 * i + 16] for i in range(CELLS)], dtype=np.float32)
    for (left, right), colour in zip(extents.astype(int), COLOURS, strict=True):
        image[rows, left:right] = colour
    return Sample(image, "abcdefg", "marked/1", extents)


def augmented(sample, number=0, strength=1.0, views=1, seed=0):
    rng = np.random.default_rng([seed, 3, number])
    return Augmentation(strength, views)(sample, rng)


def only_geometry(monkeypatch):
    monkeypatch.setattr("dctc.data.augment.photometric", lambda pixels, rng, strength: pixels)
    monkeypatch.setattr("dctc.data.augment.mask_stripes", lambda pixels, rng, strength: pixels)
    monkeypatch.setattr("dctc.data.augment.WARP", 1.0)


def test_narrow_images_are_neither_mirrored_nor_crushed():
    """A thin letter of an image that keeps its aspect ratio, such as l."""
    for number in range(300):
        warp = random_warp(np.random.default_rng(number), 1.0, 48, 10)
        left, right = warp.extents(np.array([0, 10]))
        assert right - left > 4


# ---- what is random ----


def test_a_draw_is_augmented_by_seed_and_number_alone():
    photos = {Draw(i, k): Sample(photo(), "word", "a") for i in (0, 1) for k in range(6)}
    first, again = (AugmentedDataset(photos, Augmentation(1.0), 5) for _ in range(2))
    images = [first[Draw(0, k)].image for k in range(6)]
    for k in reversed(range(6)):  # in another order, from another index of the same image
        assert np.array_equal(again[Draw(1, k)].image, images[k])
    assert len({image.tobytes() for image in images}) == 6
    other = AugmentedDataset(photos, Augmentation(1.0), 6)
    assert not np.array_equal(other[Draw(0, 0)].image, images[0])


def test_noise_is_not_kept_for_each_width():
    noise_bank.cache_clear()
    for width in range(64, 256):
        augmented(Sample(photo(16, width), "word", "a"), number=width)
    assert 1 <= noise_bank.cache_info().currsize <= 3


# ---- where things end up ----


def found(image):
    """Return the mean column and the mean width of each colour of a marked image."""
    apart = np.abs(image.astype(int)[:, :, None] - np.array(COLOURS)).max(3)  # (h, w, cells)
    for cell in range(CELLS):
        near = apart[..., cell] < 60
        wide = near.sum(1)
        yield np.nonzero(near)[1].mean() + 0.5, wide[wide > 1].mean()


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("rows", [slice(13, 19), slice(2, 30)], ids=["short", "tall"])
def test_extents_follow_the_characters(monkeypatch, strength, rows):
    only_geometry(monkeypatch)
    before, off, moved = marked(rows), [], []
    for number in range(40):
        after = augmented(before, number, strength)
        assert after.extents.shape == (CELLS, 2) and after.extents.dtype == np.float32
        assert after.extents.min() >= 0 and after.extents.max() <= WIDTH
        assert (np.diff(after.extents.ravel()) >= 0).all()
        seen, wide = np.array(list(found(after.image))).T
        off.append(np.abs(after.extents.mean(1) - seen))
        moved.append(np.abs(after.extents - before.extents))
        if rows == slice(2, 30):  # of short ones no row need show the whole width
            assert np.abs(np.diff(after.extents)[:, 0] - wide).max() < 1.5 + strength
    assert np.max(off) < 0.5 + 0.5 * strength and np.mean(off) < 0.25  # pixels
    assert np.mean(moved) > 4 * strength  # so that there is something to follow


@pytest.mark.parametrize("strength", [0.5, 1.0, 2.0])
def test_the_whole_line_stays_in_the_image(monkeypatch, strength):
    only_geometry(monkeypatch)
    rim = 4  # pixels of each edge, of which a part may be cut
    image = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    image[rim:-rim, rim:-rim] = 255
    image[rim:-rim, rim : rim + 3] = image[rim:-rim, -rim - 3 : -rim] = (255, 0, 0)
    image[rim : rim + 3, rim:-rim] = image[-rim - 3 : -rim, rim:-rim] = (0, 0, 255)
    for number in range(60):
        warped = augmented(Sample(image, "a", "a"), number, strength).image
        edges = [warped[0], warped[-1], warped[:, 0], warped[:, -1]]
        for edge in edges:  # nothing white: the frame, or what lies outside of it
            assert (edge.min(1) < 150).all()
        assert (warped.min(2) > 200).sum() > 0.3 * warped[..., 0].size * (1 - 0.3 * strength)


def test_padding_stays_padding():
    narrow = Sample(photo(), "word", "a", np.array([[0, 50]], np.float32), width=50)
    changed = 0
    for number in range(20):
        after = augmented(narrow, number)
        assert after.width == 50 and after.image.shape == (HEIGHT, WIDTH, 3)
        assert after.extents.max() <= 50
        padding, valid = after.image[:, 50:], after.image[:, :50]
        assert (padding == np.rint(valid.mean((0, 1)))).all()
        changed += not np.array_equal(valid, narrow.image[:, :50])
    assert changed > 15


@pytest.mark.parametrize("width", [1, 2, 9])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_any_width_and_of_one_channel(width, channels):
    sample = Sample(photo(channels=channels), "i", "a", width=width)
    for number in range(20):
        after = augmented(sample, number, 2.0, views=2)
        assert after.image.shape == after.second.shape == (HEIGHT, WIDTH, channels)
        assert after.image.dtype == np.uint8 and after.extents is None


# ---- what does not change ----


def test_labels_keys_and_the_stored_sample_are_left_alone():
    before, extents = photo(), marked().extents
    sample = Sample(before.copy(), "word", "key/1", extents.copy())
    for number in range(10):
        after = augmented(sample, number, 2.0, views=2)
        assert (after.label, after.key) == ("word", "key/1")
        assert np.array_equal(sample.image, before) and np.array_equal(sample.extents, extents)


def test_without_strength_and_without_an_image_nothing_is_done():
    sample, bad = marked(), Corrupt("set/1", "image missing")
    assert augmented(sample, strength=0.0) is sample
    assert AugmentedDataset([bad], Augmentation(1.0), 0)[0] is bad


def test_faint_images_lose_no_contrast(monkeypatch):
    faint = Sample((120 + photo() // 16).astype(np.uint8), "a", "a")  # levels 122 to 133
    monkeypatch.setattr("dctc.data.augment.WARP", 0.0)
    for name in ("BLUR", "LOW_RESOLUTION", "NOISE", "SATURATION"):
        monkeypatch.setattr(f"dctc.data.augment.{name}", 0.0)
    spread = [np.ptp(augmented(faint, k, 2.0).image[..., 0].astype(int)) for k in range(40)]
    assert min(spread) >= np.ptp(faint.image[..., 0].astype(int)) - 1
    assert max(spread) > 15


# ---- two views ----


def test_what_views_share_is_the_warp_bit_by_bit(monkeypatch):
    only_geometry(monkeypatch)
    for number in range(5):
        after = augmented(marked(), number, views=2)
        assert np.array_equal(after.image, after.second)
        single = augmented(marked(), number)
        assert np.array_equal(after.image, single.image)
        assert np.array_equal(after.extents, single.extents)


def test_stripes_hide_parts_of_each_view_alone(monkeypatch):
    monkeypatch.setattr("dctc.data.augment.photometric", lambda pixels, rng, strength: pixels)
    monkeypatch.setattr("dctc.data.augment.WARP", 0.0)
    sample, hidden = Sample(photo(), "word", "a"), []
    for number in range(30):
        after = augmented(sample, number, views=2)
        masks = [(v != sample.image).any((0, 2)) for v in (after.image, after.second)]
        hidden += masks
        assert max(mask.sum() for mask in masks) <= 2 * 0.2 * HEIGHT + 1
        assert np.array_equal(augmented(sample, number).image, sample.image)
    assert any(mask.any() for mask in hidden[::2]) and any(mask.any() for mask in hidden[1::2])
    assert any(not np.array_equal(a, b) for a, b in zip(hidden[::2], hidden[1::2], strict=True))


def test_a_batch_holds_second_views_if_all_samples_have_one():
    one, two = Sample(photo(), "a", "1"), augmented(Sample(photo(), "a", "2"), views=2)
    batch = collate([two, two])
    assert batch.second.shape == batch.image.shape == (2, 3, HEIGHT, WIDTH)
    assert batch.second[0, :, 3, 4].tolist() == pytest.approx(two.second[3, 4] / 127.5 - 1)
    assert collate([one, two]).second is None and collate([one]).second is None


# ---- options of the data modules ----


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"augment": -0.1}, "augment=-0.1: it lies between 0"),
        ({"augment": 2.5}, r"augment=2.5: it lies between 0, none, and 2.0"),
        ({"augment": 1.0, "views": 3}, "views=3: "),
        ({"views": 2}, "views=2: without augmentation both would be equal"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(options, message):
    for module in (EnglishDataModule, RenderedDataModule):
        with pytest.raises(ValueError, match=message):
            module(**options)


def rendered(**options):
    sizes = {"epoch_size": 8, "val_size": 2, "test_size": 2, "batch_size": 4, "num_workers": 0}
    return RenderedDataModule(**sizes | options)


def test_words_are_augmented_in_training_only(module):
    words = {"train": ["synth/MJ"], "val": {"val": ["english/train/SVT_257"]}, "test": ["CUTE80"]}
    for plain, data in (
        (rendered(), rendered(augment=1.0, views=2)),
        (module("english", **words), module("english", **words, augment=1.0, views=2)),
    ):
        plain.setup()
        data.setup()
        for a, b in zip(plain.train_dataloader(), data.train_dataloader(), strict=True):
            assert a.label == b.label and a.key == b.key and a.second is None
            assert not a.image.equal(b.image) and not b.image.equal(b.second)
        for stage in ("val_dataloader", "test_dataloader"):
            (a,), (b,) = getattr(plain, stage)()[0], getattr(data, stage)()[0]
            assert a.image.equal(b.image) and b.second is None

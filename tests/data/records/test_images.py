import pickle

import numpy as np
import pytest
from PIL import Image

from dctc.data.records.batch import Corrupt, Sample
from dctc.data.records.images import ImageFiles, ImageSize, load_image, resize_image
from dctc.data.records.lmdb import LmdbImages, open_images
from dctc.data.records.sampler import Draw

SIZE = ImageSize(height=8, width=16)


@pytest.fixture
def folder(tmp_path, encode_image):
    """Images of several kinds, and files that are none."""
    for name, format in (("b/2.JPG", "JPEG"), ("a.png", "PNG"), ("b/1.bmp", "BMP")):
        file = tmp_path / "images" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encode_image(1, 40, 16, format))
    (tmp_path / "images" / "c.png").write_bytes(b"no image")
    (tmp_path / "images" / "readme.txt").write_text("no image either")
    return tmp_path / "images"


def test_a_folder_is_read_in_the_order_of_its_paths(folder):
    images = open_images(folder, SIZE)
    assert isinstance(images, ImageFiles) and images.others == 1
    keys = ["a.png", "b/1.bmp", "b/2.JPG", "c.png"]
    assert [images.key(i) for i in range(len(images))] == keys
    found = [images[i] for i in range(len(images))]
    assert [item.key for item in found] == keys
    assert [type(item) for item in found] == [Sample, Sample, Sample, Corrupt]
    assert found[0].image.shape == (8, 16, 3) and found[0].label == ""
    np.testing.assert_array_equal(images[Draw(1, 7)].image, found[1].image)


def test_an_unreadable_file_says_why_without_its_path_and_one_image_is_a_set(folder):
    reason = open_images(folder, SIZE)[3].reason
    assert "UnidentifiedImageError" in reason and str(folder) not in reason
    images = open_images(folder / "b" / "2.JPG", SIZE)
    assert [images[0].key] == ["2.JPG"] and len(images) == 1


def test_pixels_are_those_of_pillow_and_the_ratio_is_kept_on_demand(folder):
    with Image.open(folder / "a.png") as image:
        expected = np.array(image.convert("L").resize((16, 8), Image.Resampling.BICUBIC))
    sample = open_images(folder, ImageSize(8, 16, grayscale=True))[0]
    np.testing.assert_array_equal(sample.image[..., 0], expected)
    sample = open_images(folder, ImageSize(8, 64, keep_ratio=True))[0]
    assert sample.image.shape == (8, 64, 3) and sample.width == 20  # 40 x 16 at height 8


def pixels_of(image, tmp_path, name="a.png", **options):
    image.save(tmp_path / name, **options)
    return np.asarray(load_image(tmp_path / name, grayscale=True))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_white(tmp_path, mode):
    ink = Image.new("RGBA", (4, 2), (0, 0, 0, 0))
    ink.putpixel((1, 1), (0, 0, 0, 255))
    expected = np.full((2, 4), 255)
    expected[1, 1] = 0
    np.testing.assert_array_equal(pixels_of(ink.convert(mode), tmp_path), expected)


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path):
    levels = np.array([[0, 257 * 10], [257 * 200, 65_535]], np.uint16)
    found = pixels_of(Image.fromarray(levels), tmp_path)
    np.testing.assert_array_equal(found, [[0, 10], [200, 255]])
    found = pixels_of(Image.fromarray(levels), tmp_path, transparency=0)
    np.testing.assert_array_equal(found, [[255, 10], [200, 255]])
    dark = np.array([[0, 250], [100, 255]], np.uint16)
    assert pixels_of(Image.fromarray(dark), tmp_path).max() == 1
    eight = np.array([[0, 10], [200, 255]], np.int32)
    found = pixels_of(Image.fromarray(eight), tmp_path, "a.tif")
    np.testing.assert_array_equal(found, eight)


@pytest.mark.parametrize("levels", [np.float32([[0.5]]), np.int32([[-1]]), np.int32([[70_000]])])
def test_levels_of_unknown_meaning_are_refused(tmp_path, levels):
    with pytest.raises(ValueError, match="cannot be decoded"):
        pixels_of(Image.fromarray(levels), tmp_path, "a.tif")


@pytest.mark.parametrize("make, says", [(False, "neither a folder nor a file"), (True, "no image")])
def test_nothing_to_read(tmp_path, make, says):
    if make:
        (tmp_path / "x").mkdir()
    with pytest.raises(FileNotFoundError, match=says):
        open_images(tmp_path / "x", SIZE)


def test_every_record_of_an_lmdb_is_read_whatever_its_label(tmp_path, write_lmdb, encode_image):
    image = encode_image()
    labels = [b"It's", b"", None, b"\xff", "名".encode()]
    records = [*((image, label) for label in labels), (None, b"x"), (b"no image", b"y")]
    images = open_images(write_lmdb(tmp_path / "set", records), SIZE)
    assert isinstance(images, LmdbImages) and len(images) == 7
    found = [images[i] for i in range(7)]
    assert [item.key for item in found] == [f"set/{i}" for i in range(1, 8)]
    assert [item.label for item in found[:5]] == ["It's", "", "", "�", "名"]
    assert found[5] == Corrupt("set/6", "image missing")
    assert found[6].reason.startswith("image cannot be decoded")
    again = pickle.loads(pickle.dumps(images))  # while it is open
    np.testing.assert_array_equal(again[0].image, found[0].image)


def picture(width, height, mode="RGB", seed=0):
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(("width", "height", "valid"), [(40, 16, 80), (30, 32, 30), (63, 64, 32)])
def test_the_ratio_is_kept_and_the_rest_is_the_mean_colour(mode, width, height, valid):
    image = picture(width, height, mode)
    pixels, found = resize_image(image, 32, 100, keep_ratio=True)
    assert (found, pixels.shape[:2], pixels.dtype) == (valid, (32, 100), np.uint8)
    assert pixels.flags.writeable
    expected = np.asarray(image.resize((valid, 32), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(pixels[:, :valid].squeeze(), expected)
    mean = expected.reshape(-1, pixels.shape[2]).mean(0)
    assert np.abs(pixels[:, valid:] - mean).max() <= 0.5


@pytest.mark.parametrize("size", [(400, 16), (200, 64), (199, 64), (1000, 1)])
def test_a_longer_line_is_squashed(size):
    pixels, valid = resize_image(picture(*size), 32, 100, keep_ratio=True)
    assert valid == 100
    np.testing.assert_array_equal(pixels, resize_image(picture(*size), 32, 100)[0])


def test_nothing_is_narrower_than_a_pixel():
    pixels, valid = resize_image(picture(1, 500), 32, 100, keep_ratio=True)
    assert valid == 1 and pixels.shape == (32, 100, 3)

import io
import os
import pickle
import random

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageOps

from dctc.data.records.batch import Corrupt, Sample
from dctc.data.records.image_files import ImageFiles
from dctc.data.records.image_size import ImageSize
from dctc.data.records.images import (
    FORMATS,
    MAX_PIXELS,
    SUFFIXES,
    ImageError,
    load_image,
    upright_size,
)
from dctc.data.records.lmdb import LmdbImages, open_images

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


@pytest.mark.parametrize("ink", [0, 255])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_dark_ink_is_laid_on_white_and_light_ink_on_black(tmp_path, mode, ink):
    image = Image.new("RGBA", (4, 2), (ink, ink, ink, 0))
    image.putpixel((1, 1), (ink, ink, ink, 255))
    expected = np.full((2, 4), 255 - ink)
    expected[1, 1] = ink
    np.testing.assert_array_equal(pixels_of(image.convert(mode), tmp_path), expected)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_upright(tmp_path, encode_image, format, orientation):
    file, exif = tmp_path / "a.png", Image.Exif()
    exif[0x0112] = orientation
    Image.open(io.BytesIO(encode_image())).save(file, format, exif=exif)
    with Image.open(file) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored).convert("RGB"))
    np.testing.assert_array_equal(np.asarray(load_image(file)), expected)
    size = (40, 16) if orientation < 5 else (16, 40)
    assert upright_size(file) == load_image(file.read_bytes()).size == size


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_broken_exif_takes_no_image_away(encode_image, format):
    """Pillow raises a SyntaxError for it, but of the pixels nothing is missing."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(encode_image())).save(buffer, format, exif=b"Exif\0\0no TIFF header")
    assert load_image(buffer.getvalue()).size == upright_size(buffer.getvalue()) == (40, 16)


@pytest.mark.filterwarnings("ignore")  # Pillow's, about the bytes
@pytest.mark.parametrize("format", FORMATS)
def test_whatever_the_bytes_are_there_is_one_line(encode_image, format):
    whole, draw = encode_image(format=format), random.Random(0)
    kinds = set()
    for kept in [*range(0, len(whole), len(whole) // 20), *[len(whole)] * 100]:
        broken = bytearray(whole[:kept])
        if broken:
            broken[draw.randrange(min(len(broken), 300))] ^= draw.randrange(1, 256)
        for read in (load_image, upright_size):
            try:
                read(bytes(broken))
            except ImageError as error:
                kinds.add(error.kind)
                assert "\n" not in str(error) and "0x" not in str(error)
    assert kinds


def test_no_image_starts_ghostscript(tmp_path, encode_image, monkeypatch):
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_: pytest.fail("was started"))
    (tmp_path / "a.png").write_bytes(encode_image(format="EPS"))
    for read in (load_image, upright_size):
        with pytest.raises(ImageError, match="cannot identify"):
            read(tmp_path / "a.png")


@pytest.mark.parametrize("width", [MAX_PIXELS // 8000 + 1, 10**6])
def test_large_images_are_refused_by_their_headers(width):
    header = b"P5 %d 8000 255\n" % width
    for read in (load_image, upright_size):
        with pytest.raises(ImageError, match=r"too large: .*pixels") as caught:
            read(header)
        assert caught.value.kind == "too large"


def test_suffixes_of_all_formats_are_images():
    usual = {".jpg", ".png", ".jfif", ".jpe", ".avif", ".jp2", ".tga", ".tif", ".webp", ".mpo"}
    assert usual <= SUFFIXES and not SUFFIXES & {".eps", ".pdf", ".txt", ".tsv", ".mdb"}


def test_links_are_followed_and_loops_end(folder, tmp_path, encode_image):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "z.jfif").write_bytes(encode_image(format="JPEG"))
    (folder / "a_link").symlink_to(tmp_path / "other")
    (folder / "a_second").symlink_to(folder / "b")
    (tmp_path / "other" / "loop").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.png")
    images = ImageFiles(folder, SIZE)
    keys = ["a.png", "a_link/z.jfif", "b/1.bmp", "b/2.JPG", "c.png", "pipe.png"]
    assert images.names == keys
    assert isinstance(images[1], Sample) and "pipe or device" in images[5].reason


@pytest.mark.parametrize(("way", "turned"), [("left", -90), ("right", 90)])
def test_tall_images_are_turned_on_demand(tmp_path, encode_image, way, turned):
    flat = Image.open(io.BytesIO(encode_image()))  # 40 x 16
    flat.rotate(turned, expand=True).save(tmp_path / "tall.png")
    flat.crop((0, 0, 12, 16)).save(tmp_path / "letter.png")
    flat.save(tmp_path / "flat.png")
    off, size = ImageSize(8, 16), ImageSize(8, 16, rotate_tall=way)
    expected, extents = off.sample(tmp_path / "flat.png", "", "").image, np.zeros((1, 2))
    sample = size.sample(tmp_path / "tall.png", "a", "", extents)
    np.testing.assert_array_equal(sample.image, expected)
    assert sample.extents is None
    for name in ("flat.png", "letter.png"):
        one, same = (s.sample(tmp_path / name, "a", "", extents) for s in (size, off))
        np.testing.assert_array_equal(one.image, same.image)
        assert one.extents is not None
    assert (off.sample(tmp_path / "tall.png", "", "").image != expected).any()
    with pytest.raises(ValueError, match="rotate_tall 'up': give off, left or right"):
        ImageSize(rotate_tall="up")


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


def test_nothing_to_read(tmp_path):
    folder = tmp_path / "x"
    with pytest.raises(FileNotFoundError, match="neither a folder nor a file"):
        open_images(folder, SIZE)
    folder.mkdir()
    with pytest.raises(FileNotFoundError, match="no image that can be read; it holds nothing"):
        open_images(folder, SIZE)
    for name in ("a.HEIC", "b.heic", "c.txt"):
        (folder / name).touch()
    with pytest.raises(FileNotFoundError, match=r"it holds 2 \.heic, 1 \.txt"):
        open_images(folder, SIZE)


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
    pixels, found = ImageSize(32, 100, keep_ratio=True).resize(image)
    assert (found, pixels.shape[:2], pixels.dtype) == (valid, (32, 100), np.uint8)
    assert pixels.flags.writeable
    expected = np.asarray(image.resize((valid, 32), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(pixels[:, :valid].squeeze(), expected)
    mean = expected.reshape(-1, pixels.shape[2]).mean(0)
    assert np.abs(pixels[:, valid:] - mean).max() <= 0.5


@pytest.mark.parametrize("size", [(400, 16), (200, 64), (199, 64), (1000, 1)])
def test_a_longer_line_is_squashed(size):
    pixels, valid = ImageSize(32, 100, keep_ratio=True).resize(picture(*size))
    assert valid == 100
    np.testing.assert_array_equal(pixels, ImageSize(32, 100).resize(picture(*size))[0])


def test_nothing_is_narrower_than_a_pixel():
    pixels, valid = ImageSize(32, 100, keep_ratio=True).resize(picture(1, 500))
    assert valid == 1 and pixels.shape == (32, 100, 3)

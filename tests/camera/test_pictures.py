"""Picture files, ordinary and awkward: the right pixels, or a sentence why there are none.

The expected colours were taken from Pillow, a decoder that has nothing in common with the one under test.
"""

import struct
import zlib
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from camera import FrameStatus, PixelFormat
from camera.pictures import Limits, UnreadablePicture, decode

INCOMPLETE, CORRUPT = FrameStatus.INCOMPLETE, FrameStatus.CORRUPT
PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "photos"

ROWS, COLUMNS = np.mgrid[0:60, 0:80]
COLOR = np.stack([COLUMNS * 3, ROWS * 4, (COLUMNS + ROWS) % 200], axis=-1).astype(np.uint8)
GRAY = (COLUMNS * 2 + ROWS).astype(np.uint8)


def png_chunk(name: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def encoded(suffix, picture=COLOR, *options):
    done, data = cv2.imencode(suffix, picture, list(options))
    assert done
    return data.tobytes()


def lossless_webp(picture=COLOR):
    return encoded(".webp", picture, cv2.IMWRITE_WEBP_QUALITY, 101)


def exif(orientation):
    """Just enough EXIF to say how the camera was held."""
    return b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([orientation, 0, 0, 0]) + b"\0\0\0\0"


def png_with(data, name, body):
    """A chunk put in after the header."""
    return data[:33] + png_chunk(name, body) + data[33:]


def jpeg_turned(orientation, picture=COLOR):
    data = encoded(".jpg", picture)
    body = b"Exif\0\0" + exif(orientation)
    return data[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + data[2:]


def refused(data, *args):
    with pytest.raises(UnreadablePicture) as told:
        decode(data, *args)
    assert "\n" not in told.value.detail
    return told.value.status, told.value.detail


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff"])
@pytest.mark.parametrize("picture", [COLOR, GRAY], ids=["colour", "grey"])
def test_a_lossless_file_gives_back_what_was_stored(suffix, picture):
    pixels, pixel_format = decode(encoded(suffix, picture))
    assert np.array_equal(pixels, picture)
    assert pixel_format is (PixelFormat.MONO8 if picture.ndim == 2 else PixelFormat.BGR8)


def test_a_lossless_webp_gives_back_what_was_stored():
    assert np.array_equal(decode(lossless_webp())[0], COLOR)


def test_a_jpeg_gives_back_about_what_was_stored():
    pixels, _ = decode(encoded(".jpg", COLOR, cv2.IMWRITE_JPEG_QUALITY, 98))
    assert np.abs(pixels.astype(int) - COLOR).mean() < 3


def test_colour_becomes_grey_and_grey_becomes_colour_on_request():
    pixels, pixel_format = decode(encoded(".png"), Limits(), PixelFormat.MONO8)
    assert pixel_format is PixelFormat.MONO8
    assert np.array_equal(pixels, cv2.cvtColor(COLOR, cv2.COLOR_BGR2GRAY))
    pixels, pixel_format = decode(encoded(".png", GRAY), Limits(), PixelFormat.BGR8)
    assert pixel_format is PixelFormat.BGR8
    assert np.array_equal(pixels, np.dstack([GRAY] * 3))


def test_cmyk_inks_become_the_colours_that_a_person_sees():
    pixels, _ = decode((Path(__file__).parent / "data" / "cmyk_stripes.jpg").read_bytes())
    stripes = pixels[12, 12::24].astype(int)
    expected = [[255, 255, 0], [255, 0, 255], [0, 255, 255], [0, 0, 0], [215, 190, 164]]
    assert np.abs(stripes - expected).max() <= 2


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("layers", [1, 3])
def test_sixteen_bits_become_eight_by_dropping_the_lower_half(suffix, layers):
    deep = np.dstack([(COLUMNS * 800 + ROWS).astype(np.uint16)] * layers).squeeze()
    pixels, _ = decode(encoded(suffix, deep))
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, deep >> 8)


def test_twelve_bits_in_sixteen_keep_their_upper_eight_when_that_is_said():
    deep = (COLUMNS * 50).astype(np.uint16)
    pixels, _ = decode(encoded(".png", deep), Limits(significant_bits=12))
    assert np.array_equal(pixels, deep >> 4)


def test_more_bits_in_use_than_were_said_is_no_picture():
    status, detail = refused(encoded(".png", np.full((4, 4), 4096, np.uint16)), Limits(significant_bits=12))
    assert status is CORRUPT
    assert "4096" in detail


def test_numbers_that_are_no_brightness_are_no_picture():
    status, detail = refused(encoded(".tiff", GRAY.astype(np.float32)))
    assert (status, "float32" in detail) == (CORRUPT, True)


def test_transparency_is_laid_over_black():
    alpha = np.where(COLUMNS < 40, 0, np.where(COLUMNS < 60, 128, 255)).astype(np.uint8)
    for data in (encoded(".png", np.dstack([COLOR, alpha])), lossless_webp(np.dstack([COLOR, alpha]))):
        pixels, pixel_format = decode(data)
        assert pixel_format is PixelFormat.BGR8
        assert np.abs(pixels - np.rint(COLOR * (alpha / 255.0)[..., None])).max() <= 1
        assert not pixels[:, :40].any()
        assert np.array_equal(pixels[:, 60:], COLOR[:, 60:])


def test_sixteen_bit_transparency_is_laid_over_black():
    deep = np.dstack([np.full((8, 8), 40000, np.uint16)] * 3 + [np.full((8, 8), 32768, np.uint16)])
    assert decode(encoded(".png", deep))[0][0, 0].tolist() == [20000 >> 8] * 3


def test_a_palette_and_its_transparent_entry():
    header = png_chunk(b"IHDR", (3).to_bytes(4, "big") + (1).to_bytes(4, "big") + bytes([8, 3, 0, 0, 0]))
    palette = png_chunk(b"PLTE", bytes([255, 0, 0, 0, 255, 0, 10, 20, 200]))
    rows = png_chunk(b"IDAT", zlib.compress(bytes([0, 0, 1, 2])))
    data = b"\x89PNG\r\n\x1a\n" + header + palette + rows + png_chunk(b"IEND", b"")
    assert decode(data)[0].tolist() == [[[0, 0, 255], [0, 255, 0], [200, 20, 10]]]
    see_through = data.replace(rows, png_chunk(b"tRNS", bytes([255, 0])) + rows)
    assert decode(see_through)[0].tolist() == [[[0, 0, 255], [0, 0, 0], [200, 20, 10]]]


TURNED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: np.rot90(p, 2).swapaxes(0, 1),
    8: lambda p: np.rot90(p, 1),
}


@pytest.mark.parametrize("orientation", TURNED)
def test_a_picture_is_turned_as_its_exif_says(orientation):
    straight, _ = decode(encoded(".jpg"))
    assert np.array_equal(decode(jpeg_turned(orientation))[0], TURNED[orientation](straight))
    png = png_with(encoded(".png"), b"eXIf", exif(orientation))
    assert np.array_equal(decode(png)[0], TURNED[orientation](COLOR))


@pytest.mark.parametrize("orientation", TURNED)
def test_a_transparent_picture_is_turned_as_well(orientation):
    layers = np.dstack([COLOR, np.where(ROWS < 20, 0, 255).astype(np.uint8)])
    flat = np.where(ROWS[..., None] < 20, 0, COLOR)
    png = png_with(encoded(".png", layers), b"eXIf", exif(orientation))
    assert np.array_equal(decode(png)[0], TURNED[orientation](flat))


def test_exif_that_cannot_be_read_turns_nothing():
    for broken in (b"", b"II*\0", exif(9), exif(0), b"II*\0\xff\xff\xff\xff"):
        layers = np.dstack([COLOR, np.full(GRAY.shape, 255, np.uint8)])
        assert np.array_equal(decode(png_with(encoded(".png", layers), b"eXIf", broken))[0], COLOR)


@pytest.mark.parametrize(
    "data",
    [
        encoded(".png"),
        encoded(".jpg"),
        encoded(".jpg", COLOR, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        encoded(".bmp"),
        encoded(".tiff"),
        encoded(".webp", COLOR, cv2.IMWRITE_WEBP_QUALITY, 80),
        lossless_webp(),
    ],
    ids=["png", "jpeg", "progressive jpeg", "bmp", "tiff", "webp", "lossless webp"],
)
def test_a_file_cut_off_anywhere_is_never_shown(data):
    decode(data)
    for length in {*range(0, len(data) - 1, max(1, len(data) // 97)), len(data) - 2, len(data) - 1}:
        status, _ = refused(data[:length])
        assert status in {INCOMPLETE, CORRUPT}
        if length > 64 and data[:2] not in {b"II", b"MM"}:
            assert status is INCOMPLETE, f"cut after {length} of {len(data)} bytes"


def tiff_with_its_pixels_last():
    """As many programs write them; the encoder above puts the directory last."""
    tags = {256: 80, 257: 60, 258: 8, 259: 1, 262: 1, 273: 122, 277: 1, 278: 60, 279: 80 * 60}
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()]
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + b"".join(entries) + bytes(4)
    return head + GRAY.tobytes()


def test_a_tiff_cut_off_within_its_pixels_is_incomplete():
    data = tiff_with_its_pixels_last()
    assert np.array_equal(decode(data)[0], GRAY)
    for length in range(122, len(data), 311):
        assert refused(data[:length])[0] is INCOMPLETE


def test_no_damage_whatsoever_ends_in_anything_but_a_picture_or_a_sentence():
    rng = np.random.default_rng(5)
    wholes = [encoded(suffix) for suffix in (".png", ".jpg", ".bmp", ".tiff", ".webp")]
    wholes += [lossless_webp(), tiff_with_its_pixels_last(), jpeg_turned(6)]
    for whole in wholes:
        for _ in range(60):
            data = bytearray(whole)
            for at in rng.integers(4, min(len(data), rng.choice([100, 10**6])), rng.integers(1, 6)):
                data[at] = rng.integers(256)
            with suppress(UnreadablePicture):
                pixels, _ = decode(bytes(data), Limits(picture_max_px=10**6))
                assert pixels.dtype == np.uint8


def test_a_jpeg_cut_off_and_closed_again_is_seen_through():
    data = encoded(".jpg", COLOR, cv2.IMWRITE_JPEG_QUALITY, 95)
    for share in (0.5, 0.7, 0.9):
        status, detail = refused(data[: int(len(data) * share)] + b"\xff\xd9")
        assert (status, "end before the picture does" in detail) == (INCOMPLETE, True)


def test_a_flat_jpeg_is_whole_all_the_same():
    for level in (0, 128, 255):
        pixels, _ = decode(encoded(".jpg", np.full((50, 70, 3), level, np.uint8)))
        assert np.abs(pixels.astype(int) - level).max() <= 1


def test_a_flipped_bit_anywhere_in_a_png_is_found():
    data = bytearray(encoded(".png"))
    for at in range(8, len(data), 41):
        data[at] ^= 0x10
        status, detail = refused(bytes(data))
        assert status is INCOMPLETE or "wrong checksum" in detail or "IHDR" in detail
        data[at] ^= 0x10


def test_png_data_that_pass_the_checksum_and_make_no_sense_are_corrupt():
    start = encoded(".png", GRAY)[:33]
    data = start + png_chunk(b"IDAT", zlib.compress(bytes([9] * 61 * 81))) + png_chunk(b"IEND", b"")
    assert refused(data)[0] is CORRUPT


@pytest.mark.parametrize(
    ("data", "status", "sentence"),
    [
        (b"", INCOMPLETE, "the file is empty"),
        (b"Hello, I am a text and not a picture.", CORRUPT, "begins with b'Hello, I'"),
        (b"GIF89a" + bytes(50), CORRUPT, "no PNG, JPEG"),
        (b"RIFF\x10\0\0\0WAVEfmt " + bytes(20), CORRUPT, "not a WebP"),
        (b"\xff\xd8\xff\xd9", CORRUPT, "JPEG without a picture"),
        (b"\xff\xd8\xff\xe0\0\x04ab" + bytes(40), CORRUPT, "no JPEG marker at byte 8"),
        (b"BM" + bytes(60), CORRUPT, "unknown header of 0 bytes"),
        (b"II*\0" + (8).to_bytes(4, "little") + bytes(60), CORRUPT, "TIFF without a picture"),
        (encoded(".tiff", np.dstack([COLOR, GRAY])), CORRUPT, "transparency"),
    ],
)
def test_what_is_no_picture_is_told(data, status, sentence):
    assert refused(data)[0] is status
    assert sentence in refused(data)[1]


def huge(width, height):
    """A PNG of a few hundred bytes that asks for gigabytes."""
    header = png_chunk(b"IHDR", width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0]))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(bytes(10**5))) + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(40_000, 40_000), (2**31 - 1, 2**31 - 1), (10_000, 5_001)])
def test_a_decompression_bomb_is_refused_before_it_is_unpacked(size):
    status, detail = refused(huge(*size))
    assert status is CORRUPT
    assert f"{size[0]} x {size[1]} pixels" in detail


def test_a_picture_without_area_is_refused():
    assert refused(huge(0, 100))[0] is CORRUPT


def test_the_size_of_every_kind_of_file_is_known_before_decoding():
    small = Limits(picture_max_px=60 * 80 - 1)
    turned = png_with(encoded(".png"), b"eXIf", exif(6))
    kinds = [encoded(suffix) for suffix in (".png", ".jpg", ".bmp", ".tiff", ".webp")]
    for data in [*kinds, lossless_webp(), jpeg_turned(6), turned]:
        assert "80 x 60 pixels" in refused(data, small)[1]
        decode(data, Limits(picture_max_px=60 * 80))


SHAPE_AND_MEAN = {  # height, width, then the mean of blue, green, red, or of grey
    "astronaut.png": ((512, 512), [96.5, 105.8, 141.6]),
    "burger.jpg": ((325, 480), [77.6, 117.8, 178.5]),
    "cat.jpg": ((400, 600), [58.5, 76.0, 74.2]),
    "cats_and_dogs.jpg": ((600, 1200), [168.4, 158.8, 219.6]),
    "chelsea.png": ((300, 451), [86.8, 111.4, 147.7]),
    "coffee.png": ((400, 600), [51.5, 85.8, 158.6]),
    "grace_hopper.jpg": ((606, 517), [86.4, 72.4, 82.6]),
    "hopper.bmp": ((128, 128), [95.4, 80.1, 89.7]),
    "hopper.webp": ((128, 128), [95.5, 80.1, 89.8]),
    "hopper_gray.jpg": ((128, 128), [84.7]),
    "hopper_orientation_6.jpg": ((128, 128), [95.3, 80.1, 89.7]),
    "multi_objects.jpg": ((358, 902), [92.3, 102.2, 112.3]),
    "pil123rgba.png": ((150, 162), [2.6, 19.5, 21.1]),
    "pil_sample_cmyk.jpg": ((100, 100), [7.4, 5.4, 30.2]),
    "sparrow.png": ((851, 1280), [7.6, 7.8, 8.8]),
}


def photo(name):
    if not (PHOTOS / name).exists():
        pytest.skip(f"NOT VERIFIED with {name}: there is no {PHOTOS}")
    return (PHOTOS / name).read_bytes()


@pytest.mark.parametrize("name", SHAPE_AND_MEAN)
def test_a_real_photograph_has_the_size_and_colours_that_another_decoder_finds(name):
    pixels, _ = decode(photo(name))
    shape, mean = SHAPE_AND_MEAN[name]
    assert pixels.shape[:2] == shape
    assert np.abs(np.atleast_1d(pixels.mean(axis=(0, 1))) - mean).max() < 1.1


def test_the_photograph_that_was_held_sideways_shows_the_same_as_the_upright_one():
    upright, _ = decode(photo("hopper.bmp"))
    turned, _ = decode(photo("hopper_orientation_6.jpg"))
    assert np.abs(upright.astype(int) - turned).mean() < 6
    assert np.abs(upright.astype(int) - np.rot90(turned)).mean() > 30


def test_the_photograph_with_a_broken_data_stream_is_corrupt():
    assert refused(photo("broken_data_stream.png"))[0] is CORRUPT

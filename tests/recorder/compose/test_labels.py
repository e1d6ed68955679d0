"""What is drawn: names fit into their tiles and say what they can, initials are initials."""

import numpy as np
import pytest

from recorder.compose import labels
from recorder.compose.fonts import builtin, writable


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ada Lovelace", "AL"),
        ("grace.hopper", "GH"),
        ("Plato", "P"),
        ("Anna Maria von Berg", "AB"),
        ("  ", "?"),
        ("\u202eevil", "E"),
    ],
)
def test_initials(name: str, expected: str) -> None:
    assert labels.initials(name) == expected


def test_names_are_one_line_without_controls() -> None:
    assert labels.shown("a\nb\u202e\x07 c") == "a b c"
    assert len(labels.shown("x" * 1000)) == labels.MAX_NAME


@pytest.mark.parametrize("name", ["Bo", "Ada Lovelace", "W" * 64, "a " * 30])
@pytest.mark.parametrize(("width", "height"), [(1256, 696), (320, 180), (146, 106), (64, 36)])
@pytest.mark.parametrize("silent", [False, True])
def test_labels_fit_into_their_tiles(name: str, width: int, height: int, silent: bool) -> None:
    image = labels.label(name, width, height, silent=silent)
    if image is None:
        assert width == 64, "only the smallest tiles have no name"
        return
    margin = labels.label_margin(height)
    assert image.width <= width - 2 * margin + 2
    assert image.height <= height - 2 * margin
    assert image.width % 2 == image.height % 2 == 0


def test_letters_are_bright_on_a_dark_pill() -> None:
    image = labels.label("Ada", 640, 360, silent=False)
    assert image is not None
    pixels = np.asarray(image).astype(int)
    middle = pixels[image.height // 2]
    assert (middle[:, :3].max(axis=1) > 200).any()
    assert pixels[1, image.width // 2, :3].max() < 30


def test_accents_are_written_or_left_out() -> None:
    text, _ = writable("José", 16)
    assert text in ("José", "Jose")
    assert writable("Plain", 16) == ("Plain", builtin(16))
    assert writable("\U0010fffd", 16)[0] == "", "no font has this"


def test_names_that_no_font_can_write_give_way_to_identities() -> None:
    assert labels.legible("Ada", "u-17") == "Ada"
    assert labels.legible("\U0010fffd", "u-17") == "u-17"
    assert labels.legible("", "u-17") == "u-17"


def test_people_have_colours_of_their_own() -> None:
    assert labels.colour_of("ann") == labels.colour_of("ann")
    assert len({labels.colour_of(f"person {n}") for n in range(20)}) > 15


def test_colours_are_read() -> None:
    assert labels.parse_colour("#16181d") == (0x16, 0x18, 0x1D)
    for text in ("red", "#fff", "#12345g", ""):
        with pytest.raises(ValueError, match="no colour"):
            labels.parse_colour(text)


def test_avatars_have_a_disc_in_the_middle() -> None:
    plate = (40, 40, 44)
    image = labels.avatar(320, 180, "Ada", "ada", plate)
    assert image.getpixel((4, 4)) == plate
    assert image.getpixel((160 - 30, 90)) == labels.colour_of("ada")


@pytest.mark.parametrize("draw", [labels.corners, labels.ring])
def test_edges_leave_the_inside_free(draw: object) -> None:
    background = labels.Image.new("RGB", (320, 180), (1, 2, 3))
    image = draw(320, 180, 12, background)  # type: ignore[operator]
    assert image.getpixel((0, 0)) == (1, 2, 3, 255)
    assert image.getpixel((160, 90))[3] == 0
    assert (image.getpixel((160, 0))[3] == 255) == (draw is labels.ring)

"""What is drawn by ourselves: names, discs with initials, plates, rings, rounded corners.

Shapes are drawn larger and scaled down, for smooth edges.
"""

import colorsys
import re

from PIL import Image, ImageColor, ImageDraw

from recorder.compose.fonts import writable

Colour = tuple[int, int, int]

FINE = 4  # times larger
PILL = (12, 15, 20, 168)  # behind a name
INK = (255, 255, 255)
FAINT = (176, 186, 198)
SPEAKING = (62, 207, 124)
SILENT = (255, 107, 107)
MAX_NAME = 64  # characters that are looked at
BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")  # could turn round other texts


def shown(name: str) -> str:
    """A name as one line without what would disturb others."""
    text = " ".join(BIDI_CONTROLS.sub("", name[:MAX_NAME]).split())
    return "".join(character for character in text if character.isprintable())


def legible(name: str, identity: str) -> str:
    """The name, or the identity where no font that is installed can write it."""
    return name if writable(shown(name), label_size(0))[0].strip() else identity


def initials(name: str) -> str:
    """Up to two letters for a name."""
    words = [word for word in re.split(r"[\s._\-·]+", shown(name)) if word]
    chosen = [words[0], words[-1]] if len(words) > 1 else words
    return "".join(word[0] for word in chosen).upper() or "?"


def colour_of(identity: str) -> Colour:
    """A person's own colour, always the same."""
    total = 0
    for character in identity:
        total = (total * 31 + ord(character)) % 360
    red, green, blue = colorsys.hls_to_rgb(total / 360, 0.42, 0.45)
    return round(red * 255), round(green * 255), round(blue * 255)


def parse_colour(text: str) -> Colour:
    """A colour that is written as "#rrggbb".

    Raises:
        ValueError: It is none.
    """
    if not re.fullmatch("#[0-9a-fA-F]{6}", text):
        raise ValueError(f'"{text}" is no colour; write one like #16181d.')
    red, green, blue = ImageColor.getrgb(text)[:3]
    return red, green, blue


def plate_colour(background: Colour) -> Colour:
    """For tiles without a picture: stands out a little from the background."""
    dark = sum(background) < 384
    red, green, blue = (c + (255 - c) // 9 if dark else c * 9 // 10 for c in background)
    return red, green, blue


def radius_of(width: int, height: int) -> int:
    """Of a tile's corners, pixels."""
    return round(max(3, min(18, min(width, height) * 0.04)))


def corners(width: int, height: int, radius: int, background: Image.Image) -> Image.Image:
    """What rounds a tile's corners: the background, seen outside of them."""
    mask = _rounded(width, height, radius, line=0)
    return _with_alpha(background, Image.eval(mask, lambda value: 255 - value))


def ring(width: int, height: int, radius: int, background: Image.Image) -> Image.Image:
    """The same for someone who speaks, with a ring inside the edge."""
    line = ring_width(width, height)
    image = Image.new("RGB", (width, height), SPEAKING)
    outside = Image.eval(_rounded(width, height, radius, line=0), lambda value: 255 - value)
    image.paste(background.convert("RGB"), mask=outside)
    inside = _rounded(width, height, radius, line=line)
    return _with_alpha(image, Image.eval(inside, lambda value: 255 - value))


def ring_width(width: int, height: int) -> int:
    """Pixels."""
    return 2 if min(width, height) < 240 else 4


def avatar(width: int, height: int, name: str, identity: str, plate: Colour) -> Image.Image:
    """A tile without a picture: a disc with the initials in the person's colour."""
    image = Image.new("RGB", (width, height), plate)
    size = max(8, round(min(width, height) * 0.42))
    disc = _rounded(size, size, size // 2, line=0)
    left, top = (width - size) // 2, (height - size) // 2
    image.paste(Image.new("RGB", (size, size), colour_of(identity)), (left, top), disc)
    text, font = writable(initials(name), max(6, round(size * 0.42)))
    ImageDraw.Draw(image).text(
        (left + size / 2, top + size / 2), text or "?", INK, font, "mm", stroke_width=size / 220
    )
    return image


def more(width: int, height: int, count: int, plate: Colour) -> Image.Image:
    """The tile that stands for those without a place."""
    image = Image.new("RGB", (width, height), plate)
    text, font = writable(f"+{count}", max(8, round(min(width, height) * 0.3)))
    ImageDraw.Draw(image).text((width / 2, height / 2), text, FAINT, font, "mm")
    return image


def label(name: str, tile_width: int, tile_height: int, *, silent: bool) -> Image.Image | None:
    """A name on a dark pill, with a crossed microphone for those who cannot be heard.

    Args:
        name: As its bearer chose it; cut to what fits.
        tile_width: Pixels.
        tile_height: Pixels.
        silent: Whether the microphone is off.
    """
    size = label_size(tile_height)
    text, font = writable(shown(name), size)
    pad, height = round(size * 0.6), _even(size * 1.75)
    icon = round(size * 1.05) if silent else 0
    fixed = 2 * pad + (icon + pad // 2 if silent else 0)
    space = tile_width - 2 * label_margin(tile_height) - fixed
    while text and font.getlength(text) > space:
        text = text.removesuffix("…")[:-1].rstrip() + "…" if len(text) > 2 else ""
    if not text:
        return None
    width = _even(fixed + font.getlength(text) + 1)
    image = Image.new("RGBA", (width, height), (*PILL[:3], 0))
    mask = _rounded(width, height, round(height * 0.3), line=0)
    image.putalpha(Image.eval(mask, lambda value: value * PILL[3] // 255))
    if silent:
        image.alpha_composite(_crossed_microphone(icon), (pad, (height - icon) // 2))
    left = pad + (icon + pad // 2 if silent else 0)
    _write(image, (left, height / 2), text, font)
    return image


def label_size(tile_height: int) -> int:
    """Of a name's letters, pixels."""
    return max(9, min(40, round(9 + tile_height * 0.02)))


def label_margin(tile_height: int) -> int:
    """Between a name and the tile's edges, pixels."""
    return _even(max(4, min(16, tile_height * 0.03)))


def _write(image: Image.Image, at: tuple[float, float], text: str, font: object) -> None:
    """Letters over a pill, which stays as transparent as it is where there are none."""
    layer = Image.new("RGBA", image.size, (*INK, 0))
    ImageDraw.Draw(layer).text(at, text, (*INK, 255), font, "lm")  # type: ignore[arg-type]
    image.alpha_composite(layer)


def _crossed_microphone(size: int) -> Image.Image:
    big = size * FINE
    image = Image.new("RGBA", (big, big), (*SILENT, 0))
    draw = ImageDraw.Draw(image)
    line = max(1, big // 12)
    draw.rounded_rectangle((big * 0.37, big * 0.06, big * 0.63, big * 0.56), big * 0.13, SILENT)
    draw.arc((big * 0.24, big * 0.2, big * 0.76, big * 0.72), 0, 180, SILENT, line)
    draw.line((big * 0.5, big * 0.7, big * 0.5, big * 0.92), SILENT, line)
    draw.line((big * 0.34, big * 0.92, big * 0.66, big * 0.92), SILENT, line)
    draw.line((big * 0.2, big * 0.04, big * 0.9, big * 0.84), (*PILL[:3], 255), line * 2)
    draw.line((big * 0.12, big * 0.08, big * 0.84, big * 0.9), SILENT, line)
    return image.resize((size, size), Image.Resampling.LANCZOS)


def _rounded(width: int, height: int, radius: int, *, line: int) -> Image.Image:
    """A mask: 255 inside a rounded rectangle, `line` pixels inside of the edges."""
    corner = max(1, radius) * FINE
    side = max(2, 2 * (radius + line)) * FINE
    small = Image.new("L", (side, side), 0)  # all four corners; what is between them is straight
    inset = line * FINE
    box = (inset, inset, side - 1 - inset, side - 1 - inset)
    ImageDraw.Draw(small).rounded_rectangle(box, max(1, corner - inset), 255)
    small = small.resize((side // FINE, side // FINE), Image.Resampling.BOX)
    half = small.width // 2
    mask = Image.new("L", (width, height), 0)
    ImageDraw.Draw(mask).rectangle((line, line, width - 1 - line, height - 1 - line), 255)
    for x, y in ((0, 0), (1, 0), (0, 1), (1, 1)):
        part = small.crop((x * half, y * half, (x + 1) * half, (y + 1) * half))
        mask.paste(part, (x * (width - half), y * (height - half)))
    return mask


def _with_alpha(image: Image.Image, alpha: Image.Image) -> Image.Image:
    result = image.convert("RGBA")
    result.putalpha(alpha)
    return result


def _even(pixels: float) -> int:
    return int(pixels + 1) // 2 * 2

"""Fonts that can write a name."""

import unicodedata
from functools import lru_cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont

# Pillow's own font knows ASCII only; for other names these are taken, where they are installed.
FALLBACKS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "Arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansHebrew-Regular.ttf",
    "NotoSansArabic-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "wqy-microhei.ttc",
    "Arial Unicode.ttf",
)
UNKNOWN = "\uffff"  # no character at all: what a font draws for what it does not have


def writable(text: str, size: int) -> tuple[str, Font]:
    """The text as far as it can be written, and the font for it.

    The first font that has all of it; else the best one, with letters that it lacks replaced by
    their plain forms, and left out where there are none.

    Args:
        text: One line.
        size: Pixels.
    """
    best, lacking = builtin(size), _lacking(builtin(size), text)
    for name in FALLBACKS:
        if not lacking:
            break
        font = _installed(name, size)
        if font is not None and len(missing := _lacking(font, text)) < len(lacking):
            best, lacking = font, missing
    if lacking:
        plain = unicodedata.normalize("NFKD", text)
        missing = _lacking(best, plain)
        text = "".join(character for character in plain if character not in missing)
    return text, best


@lru_cache(maxsize=64)
def builtin(size: int) -> Font:
    """The font that is always there."""
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # without a size it would be a bitmap font
    return font


@lru_cache(maxsize=256)
def _installed(name: str, size: int) -> Font | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


def _lacking(font: Font, text: str) -> set[str]:
    return {character for character in text if not _has(font, character)}


@lru_cache(maxsize=4096)
def _has(font: Font, character: str) -> bool:
    if character.isspace():
        return True
    unknown, drawn = font.getmask(UNKNOWN), font.getmask(character)
    return (unknown.size, bytes(unknown)) != (drawn.size, bytes(drawn))

"""Random inputs that are nearly right: what parsers meet in the wild and from attackers."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

CORPUS = Path(__file__).parent / "corpus"
MAX_GROWTH = 64  # bytes that one mutation may add
INTERESTING = (
    0,
    1,
    2,
    0x0F,
    0x10,
    0x1F,
    0x20,
    0x3F,
    0x40,
    0x7F,
    0x80,
    0xBE,
    0xC0,
    0xDE,
    0xFE,
    0xFF,
)


def corpus(parser: str) -> list[bytes]:
    """The files of `corpus/<parser>/` in the order of their names.

    A `.hex` file is hexadecimal text (white space and `#` comments ignored), so that a reader can
    see what is in it; any other file is taken as it is.
    """
    seeds = []
    for path in sorted((CORPUS / parser).iterdir()):
        data = path.read_bytes()
        if path.suffix == ".hex":
            text = "".join(line.partition("#")[0] for line in data.decode("ascii").splitlines())
            data = bytes.fromhex(text)
        seeds.append(data)
    assert seeds, f"no corpus for {parser}"
    return seeds


def mutations(seeds: Sequence[bytes], count: int, rng: Random) -> Iterator[bytes]:
    """`count` inputs: the seeds as they are, then one in eight random, the others 1..4 mutations.

    Args:
        seeds: Valid (or interesting) inputs; at least one.
        count: How many inputs to give.
        rng: Seeded, so that a failure can be repeated.
    """
    random = rng.random
    total = len(seeds)
    for seed in seeds[:count]:
        yield bytes(seed)
    for _ in range(count - min(count, total)):
        if random() < 0.125:
            # Squared: short inputs are where the bounds are.
            yield rng.randbytes(int(random() * random() * 200))
            continue
        data = bytearray(seeds[int(random() * total)])
        for _ in range(1 + int(random() * random() * 4)):
            _mutate(data, seeds, random)
        yield bytes(data)


def _mutate(data: bytearray, seeds: Sequence[bytes], random: Callable[[], float]) -> None:
    size = len(data)
    kind = int(random() * 10)
    if not size:
        data.extend(int(random() * 256) for _ in range(int(random() * 8)))
        return
    # Half of the mutations hit the first 24 bytes, where the headers are.
    at = int(random() * (min(size, 24) if random() < 0.5 else size))
    if kind < 3:
        data[at] ^= 1 << int(random() * 8)
    elif kind == 3:
        data[at] = int(random() * 256)
    elif kind == 4:
        data[at] = INTERESTING[int(random() * len(INTERESTING))]
    elif kind == 5:
        del data[at:]
    elif kind == 6:
        del data[at : at + 1 + int(random() * 8)]
    elif kind == 7:
        piece = data[at : at + 1 + int(random() * MAX_GROWTH)]
        data[at:at] = piece
    elif kind == 8:
        other = seeds[int(random() * len(seeds))]
        start = int(random() * len(other))
        data[at : at + int(random() * 16)] = other[start : start + MAX_GROWTH]
    else:
        data[at] = (data[at] + (1 if random() < 0.5 else -1)) & 0xFF

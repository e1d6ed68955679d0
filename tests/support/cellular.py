"""Makes the cellular trace: capacity per 100 ms of a phone on the move, the same for the same seed.

    python -m tests.support.cellular > tests/scenarios/cellular.txt

Stretches of good, middling and poor reception follow each other, with short fades and handovers.
Within a stretch the rate wanders: its logarithm is an autoregressive process, as fading and other
users of the cell make it.
"""

import math
import random

SECONDS = 120
INTERVAL = 0.1  # s
SEED = 4

# Name: (kbit/s in the middle, seconds at least, seconds at most, weight).
STRETCHES = {
    "good": (3600, 8, 20, 4),
    "middling": (1600, 6, 15, 4),
    "poor": (700, 4, 10, 2),
    "fade": (320, 1, 3, 2),
}
MEMORY = 0.93  # of the logarithm, from one interval to the next: changes take a second or so
WANDER = 0.13  # standard deviation of each step of the logarithm
NOISE = 0.12  # of each interval on its own
HANDOVER = 0.3  # s without anything
HANDOVERS = 0.15  # of them at the ends of stretches
LEAST, MOST = 150, 6000  # kbit/s, but for handovers


def trace(seed: int = SEED) -> list[int]:
    """Kbit/s for each interval."""
    generator = random.Random(seed)
    names = list(STRETCHES)
    rates: list[int] = []
    name = "good"
    level = math.log(STRETCHES[name][0])
    while len(rates) < SECONDS / INTERVAL:
        middle, shortest, longest, _ = STRETCHES[name]
        for _ in range(round(generator.uniform(shortest, longest) / INTERVAL)):
            goal = math.log(middle)
            level = goal + MEMORY * (level - goal) + generator.gauss(0, WANDER)
            rate = math.exp(level + generator.gauss(0, NOISE))
            rates.append(round(min(max(rate, LEAST), MOST)))
        others = [one for one in names if one != name]
        name = generator.choices(others, [STRETCHES[one][3] for one in others])[0]
        if generator.random() < HANDOVERS:
            rates += [0] * round(HANDOVER / INTERVAL)
    return rates[: round(SECONDS / INTERVAL)]


def text() -> str:
    """The file."""
    head = f"# kbit/s in each 100 ms, {SECONDS} s; made by tests/support/cellular.py\n"
    return head + "".join(f"{rate}\n" for rate in trace())


if __name__ == "__main__":
    print(text(), end="")

"""Layers that Chromium sent, projected: decoders show the same, whatever layers came before."""

from random import Random

import numpy as np
import pytest

from sfu.forward.projection import projection_for
from sfu.forward.projection.av1 import Av1Projection
from sfu.forward.projection.vp9 import Vp9Projection
from sfu.wire.payload.vp9 import parse_descriptor
from tests.support.captures import capture, looks
from tests.support.projected import Sent, project
from tests.support.reference_finder import DescriptorReferenceFinder, Vp9ReferenceFinder

NAMES = ["av1_l1t3", "av1_l3t3", "av1_l3t3_key", "vp8_l1t3", "vp9_l3t3", "vp9_l3t3_key"]


def projected(name: str, targets) -> tuple[list[Sent], dict[int, tuple[int, int]]]:
    """What is sent, and the layers at each timestamp at which something is."""
    pictures = capture(name)
    projection = projection_for(pictures[0][0].frame)
    assert isinstance(projection, Vp9Projection if name.startswith("vp9") else Av1Projection)
    projection.start(pictures[0][0])
    sent: list[Sent] = []
    layers = {}
    for packets, (spatial, temporal) in zip(pictures, targets, strict=False):
        some = project(projection, packets, spatial=spatial, temporal=temporal)
        if some:
            assert [one.marker for one in some] == [False] * (len(some) - 1) + [True]
            layers[some[0].timestamp] = projection.current
        sent += some
    return sent, layers


@pytest.mark.parametrize("name", NAMES)
def test_each_layer_alone_decodes(name):
    codec = name.partition("_")[0]
    whole = capture(name)
    heights = set()
    counts = []
    for spatial in range(2 if "l3" in name else 1):
        for temporal in range(3):
            sent, layers = projected(name, [(spatial, temporal)] * len(whole))
            assert set(layers.values()) == {(spatial, temporal)}
            shown = looks(codec, sent)
            assert shown.keys() == layers.keys()
            heights |= {picture.shape[0] for picture in shown.values()}
            counts.append(len(shown))
    assert len(heights) == (2 if "l3" in name else 1)
    assert counts[0] < counts[1] < counts[2] == len(whole)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(4))
def test_changing_layers_shows_the_same_pictures(name, seed):
    codec = name.partition("_")[0]
    rng = Random(seed)
    count = len(capture(name))
    truth = [looks(codec, projected(name, [(spatial, 2)] * count)[0]) for spatial in range(2)]
    targets, target = [], (1, 2)
    for _ in range(count):
        targets.append(target)
        if rng.random() < 0.2:
            target = (rng.choice((1, 1, 0)), rng.randrange(3))
    sent, layers = projected(name, targets)
    shown = looks(codec, sent)
    assert shown.keys() == layers.keys()
    for timestamp, picture in shown.items():
        assert np.array_equal(picture, truth[layers[timestamp][0]][timestamp])
    if codec == "vp9":
        headers = Vp9ReferenceFinder()
        heads = [parse_descriptor(one.payload) for one in sent]
        assert all(headers.receive(head, []) for head in heads if head.start)
    else:
        described = DescriptorReferenceFinder()
        assert all(described.receive(one.descriptor) for one in sent)

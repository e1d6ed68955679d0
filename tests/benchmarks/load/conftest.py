import pytest

CLIP = {"packets_per_frame": 0, "fps": 10.0, "simulcast": True, "bitrate": 600_000}


@pytest.fixture(scope="session")
def simulcast_clip(tmp_path_factory: pytest.TempPathFactory):
    """Options of a plan with a clip in three encodings, which is encoded once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield CLIP

"""No recording's folder is in another one's, whatever rooms are called."""

from pathlib import Path

import pytest

from recorder.files.manifest_file import FILE_NAME as MANIFEST
from recorder.folder_lock import FILE_NAME as LOCK
from recorder.folders import FolderTakenError, make_folder
from recorder.link.messages import RecordingOrder
from recorder.values import RecordingRequest

TEMPLATE = "{room}/{recording}/{identity}"


def order(root: Path, id: str, *, room: str = "lobby") -> RecordingOrder:
    return RecordingOrder(id, room, RecordingRequest(), str(root), TEMPLATE, 0, "", 0.0)


def test_it_is_made_below_the_root_whatever_is_beside_it(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).touch()  # of somebody else, above the root
    root = tmp_path / "recordings"
    first = make_folder(order(root, "RC_1"), resume=False)
    (first / LOCK).touch()
    assert make_folder(order(root, "RC_2"), resume=False) == root / "lobby/RC_2"
    assert make_folder(order(root, "RC_1"), resume=True) == first


@pytest.mark.parametrize("sign", [MANIFEST, LOCK])
@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_another_recording_is_not_made_its_own(
    tmp_path: Path, sign: str, resume: bool
) -> None:
    outer = tmp_path / "RC_outer"
    outer.mkdir()
    (outer / sign).touch()
    with pytest.raises(FolderTakenError, match="another recording"):
        make_folder(order(tmp_path, "RC_inner", room="RC_outer"), resume=resume)
    assert [path.name for path in outer.iterdir()] == [sign]


@pytest.mark.parametrize("sign", [MANIFEST, LOCK])
def test_a_folder_that_was_there_is_no_new_one(tmp_path: Path, sign: str) -> None:
    taken = make_folder(order(tmp_path, "RC_1"), resume=False)
    (taken / sign).touch()
    with pytest.raises(FolderTakenError):
        make_folder(order(tmp_path, "RC_1"), resume=False)

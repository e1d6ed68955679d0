"""What becomes of a recording that no process makes any more: its files are finished."""

import asyncio
from pathlib import Path

from msgspec import structs

from recorder.files.manifest_file import FILE_NAME, ManifestError, ManifestFile
from recorder.recording import Recording
from recorder.repairs import Repairs
from recorder.values import RecordingStatus


async def salvage(folder: Path, status: RecordingStatus, failure: str) -> RecordingStatus:
    """Repair the folder of a recording that failed, in a process of its own.

    It takes as long as somebody still writes there, and may be cancelled: then the next start of
    the server repairs it.

    Args:
        folder: Of the recording; it need not exist.
        status: The last one that is known.
        failure: Why it failed, in words; the manifest is going to say so too.

    Returns:
        The last status, as the manifest has it, with what was kept.
    """
    await Repairs().run(folder, lambda _: None, failure=failure)
    try:
        manifest = await asyncio.to_thread(ManifestFile(folder / FILE_NAME).load)
    except (OSError, ManifestError):
        return structs.replace(
            status, state="failed", warning="", error=f"{failure}; kept: 0 files"
        )
    found = Recording.of(manifest, "").status
    if not manifest.has_ended:
        return structs.replace(
            found, state="failed", error=f"{failure}; its files are repaired at the next start"
        )
    return structs.replace(found, error=f"{found.error or failure}; kept: {manifest.kept()}")

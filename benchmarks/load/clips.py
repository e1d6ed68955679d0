"""Where clips come from."""

from benchmarks.load.media import Clip
from benchmarks.load.model import LoadPlan


def load_clip(plan: LoadPlan) -> Clip:
    """The clip that a plan asks for."""
    return Clip.synthetic(
        plan.codecs, packets_per_frame=plan.packets_per_frame, packet_size=plan.packet_size
    )

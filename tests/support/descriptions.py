"""Session descriptions as real peers write them, and our end of a transport."""

from pathlib import Path

from sfu.config import Config
from sfu.wire.parameters import Fingerprint, IceParameters
from signaling.negotiation import Answer, LocalTransport, SendSlot, answer, host_candidates

SAMPLES = Path(__file__).parents[1] / "fuzz" / "corpus" / "sdp"
CONFIG = Config()
LOCAL = LocalTransport(
    IceParameters("our1", "0123456789abcdefghijklmn"),
    (Fingerprint("sha-256", ":".join(f"{number:02X}" for number in range(32))),),
    host_candidates(["127.0.0.1", "::1"], udp_port=7882, tcp_port=7881),
)


def sample(name: str) -> str:
    """One of the samples, with the line ends that descriptions have."""
    return (SAMPLES / f"{name}.sdp").read_text().replace("\n", "\r\n")


def slot(number: int) -> SendSlot:
    return SendSlot(f"PA_{number}", f"TR_{number}", 1000 + number, 2000 + number, f"cname-{number}")


def answer_to(offer: str, *, receive: bool = True, slots=None, data: bool = True) -> Answer:
    """Our answer, as a publisher's peer connection gets it unless told otherwise."""
    return answer(offer, LOCAL, receive=receive, slots=slots or {}, data=data, config=CONFIG)


def sections(sdp: str) -> list[list[str]]:
    """The lines of each m-section."""
    return [f"m={part}".splitlines() for part in sdp.split("\r\nm=")[1:]]

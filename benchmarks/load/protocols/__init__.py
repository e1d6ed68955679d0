"""How the tester talks to servers."""

from benchmarks.load.model import ProtocolName
from benchmarks.load.protocols.aiosfu import AiosfuClient
from benchmarks.load.protocols.base import Protocol
from benchmarks.load.protocols.janus import JanusClient
from benchmarks.load.protocols.whip import WhipClient

PROTOCOLS: dict[ProtocolName, type[Protocol]] = {
    "whip": WhipClient,
    "aiosfu": AiosfuClient,
    "janus": JanusClient,
}

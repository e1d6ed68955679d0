"""Stories of publishers and one subscriber behind a bad path, told in virtual time.

    figures = tell(Story(seconds=60, capacity=2_500_000))
    assert figures.video.share("f", 5) > 0.95
    assert figures.bottleneck.queue_delay(95, 5) < 0.1

Real ICE, DTLS, SRTP, RTP and RTCP pass through the real core; the ends and the path are models.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from sfu.config import Config
from sfu.room.events import LayersWanted, RoomEvent
from sfu.room.peer import Peer
from sfu.room.permissions import Source
from sfu.room.track import Track
from sfu.transport.buffers import SLOTS, ReceiveBatch
from sfu.wire.parameters import OPUS, VP8, Codec, Kind, ReceiveParameters
from tests.support.bottleneck import Bottleneck, Datagram
from tests.support.capacity import Capacity
from tests.support.figures import Figures, VideoFigures
from tests.support.media_receiver import MediaReceiver
from tests.support.media_sender import EXTENSIONS, AudioSender, MediaSender
from tests.support.reno import RenoFlow
from tests.support.simulcast_sender import SimulcastSender
from tests.support.story import Story
from tests.support.virtual_room import Member, VirtualClient, VirtualServer

SAMPLE_INTERVAL = 0.05  # s between looks at states and estimates
SIGNALING_DELAY = 0.02  # s from an event in the room to a publisher that has heard of it
SUBSCRIBER_SEED = 900


def server_estimate(peer: Peer) -> float | None:
    """The server's estimate of the path to this peer, where it has one."""
    bandwidth = peer.subscriber.bandwidth
    return bandwidth.estimator.estimate if bandwidth.fed else None


@dataclass
class Publisher:
    """One publisher of a scenario."""

    member: Member
    sender: MediaSender
    camera: SimulcastSender
    microphone: AudioSender | None
    tracks: dict[str, Track] = field(default_factory=dict)


class Scenario:
    """A story while it is told: publishers are sending, the subscriber is connected.

    Attributes:
        server: The core.
        time: Its clock.
        publishers: In their order.
        member: The subscriber.
        client: Its receiving peer connection.
        receiver: The model behind it.
        bottleneck: On the way to it.
        cross: The TCP flow that may share it.
        estimate_of: Reads the server's estimate.
    """

    def __init__(
        self,
        story: Story,
        *,
        estimate_of: Callable[[Peer], float | None] = server_estimate,
        config: Config | None = None,
    ) -> None:
        self.story = story
        self.estimate_of = estimate_of
        self.server = VirtualServer(config, seed=story.seed)
        self.time = self.server.time
        self._batch = ReceiveBatch()
        self.publishers = [self._publish(i) for i in range(story.publishers)]
        for i, publisher in enumerate(self.publishers):
            # Cameras are not in step.
            self.time.call_later(i * 0.0137, publisher.sender.start)
        self.time.run(story.warm_up)
        self.member = self.server.join("subscriber")
        self.client = self._connect(self.member, "subscriber", SUBSCRIBER_SEED + story.seed)
        assert isinstance(self.client.down, Bottleneck)
        self.bottleneck: Bottleneck = self.client.down
        self.cross = RenoFlow(self.time, self.bottleneck, back=story.delay)
        self.receiver: MediaReceiver = MediaReceiver(
            self.client, feedback=story.feedback, patience=story.patience
        )
        self._pending: list[tuple[float, Callable[[], None]]] = []
        for start, end in story.cross:
            self.at(start, self.cross.start)
            self.at(end, self.cross.stop)

    # -- before it begins

    def _receive_all(self, datagrams: Sequence[Datagram]) -> None:
        """What arrives at the server in one moment, it reads in one batch."""
        for start in range(0, len(datagrams), SLOTS):
            self._batch.load(datagrams[start : start + SLOTS])
            self.server.endpoint.receive_batch(self._batch, now=self.time.now)

    def _connect(self, member: Member, target: str, seed: int) -> VirtualClient:
        story, now = self.story, self.time.now
        subscribes = target == "subscriber"
        peer = self.server.endpoint.create_peer(f"{member.participant.identity} {target}", now=now)
        if target == "subscriber":
            member.participant.set_peer("subscriber", peer, now=now)
        else:
            member.participant.set_peer("publisher", peer, now=now)
        client = VirtualClient(self.server, seed=seed)
        delay = story.delay if subscribes else 0.02
        client.up = Bottleneck(  # type: ignore[assignment]
            self.time,
            self.server.receive,
            seed=seed + 1,
            capacity=None if subscribes else story.uplink,
            delay=delay,
            loss=story.loss_back if subscribes else 0.0,
            deliver_all=self._receive_all,
        )
        down = Bottleneck(self.time, client.down.deliver, seed=seed + 2, delay=delay)
        client.down = down  # type: ignore[assignment]
        client.connect(peer)
        assert self.time.run(20, until=lambda: client.connected)
        self.time.run(1)  # the last flight is on its way
        client.settle()
        if subscribes:
            # From here on the path is as bad as the story has it.
            down.capacity = (
                Capacity.constant(story.capacity)
                if isinstance(story.capacity, int | float)
                else story.capacity
            )
            down.queue, down.queue_bytes = story.queue, story.queue_bytes
            down.jitter, down.reorder, down.outage = story.jitter, story.reorder, story.outage
            down.loss, down.loss_burst = story.loss, story.loss_burst
            member.subscriber = client
        else:
            member.publisher = client
        return client

    def _publish(self, number: int) -> Publisher:
        story, now = self.story, self.time.now
        member = self.server.join(f"publisher{number}")
        lines: list[tuple[str, Kind, dict[int, Codec]]] = [("v", "video", {96: VP8})]
        if story.audio:
            lines.append(("a", "audio", {111: OPUS}))
        picture: Source = "screen_share" if number >= story.publishers - story.screens else "camera"
        tracks = {
            mid: member.participant.add_track(
                kind=kind, source=picture if kind == "video" else "microphone", now=now
            )
            for mid, kind, _ in lines
        }
        simulcast = len(story.layers) > 1
        client = self._connect(member, "publisher", 10 * number + 100 * story.seed)
        assert client.peer is not None
        client.peer.publisher.configure(
            [
                ReceiveParameters(
                    mid=mid,
                    kind=kind,
                    codecs=codecs,
                    rtx={97: 96} if kind == "video" else {},
                    extensions=EXTENSIONS,
                    rids=tuple(s.rid for s in story.layers)
                    if kind == "video" and simulcast
                    else (),
                    nack=kind == "video",
                    pli=kind == "video",
                    transport_cc=True,
                )
                for mid, kind, codecs in lines
            ],
            tracks,
        )
        sender = MediaSender(client, start=story.start)
        camera = SimulcastSender(
            sender,
            mid="v",
            ssrc=0x10000 * (number + 1),
            seed=1000 * story.seed + number,
            layers=story.layers,
            temporal_layers=story.temporal_layers,
        )
        microphone = (
            AudioSender(sender, mid="a", ssrc=0x10000 * (number + 1) + 0x100)
            if story.audio
            else None
        )
        member.on_event = partial(self._heard, camera)
        return Publisher(member, sender, camera, microphone, tracks)

    def _heard(self, camera: SimulcastSender, event: RoomEvent) -> None:
        """A publisher stops the layers that nobody wants, and starts those that somebody does."""
        if isinstance(event, LayersWanted):
            rids = {one.rid for one in event.layers if one.active}
            if "" in rids:  # there is only one
                rids = {spec.rid for spec in self.story.layers}
            self.time.call_later(SIGNALING_DELAY, partial(camera.set_wanted, rids))

    # -- while it is told

    def at(self, seconds: float, callback: Callable[[], None]) -> None:
        """Do something at this time of the story."""
        self._pending.append((seconds, callback))

    def take(self) -> None:
        """Let the subscriber agree to all that it is offered, as at the story's beginning."""
        self.member.receive(rtx={96: 97})
        for slot in self.member.participant.subscriptions.slots:
            if slot.subscription is None:
                continue
            if slot.kind == "video":
                self.receiver.add_video(slot.identity.ssrc, slot.identity.rtx_ssrc)
            else:
                self.receiver.add_audio(slot.identity.ssrc)

    def run(self) -> Figures:
        """Tell it to its end."""
        story = self.story
        self.bottleneck.begin()
        epoch = self.time.now
        for seconds, callback in self._pending:
            self.time.call_at(epoch + seconds, callback)
        self.take()
        videos: dict[str, VideoFigures] = {}
        figures = Figures(story.seconds, [], [], self.bottleneck)
        for publisher in self.publishers:
            for mid, track in publisher.tracks.items():
                subscription = self.member.participant.subscriptions.get(track.sid)
                if subscription is None or subscription.slot is None:
                    continue
                ssrc = subscription.slot.identity.ssrc
                if mid == "a":
                    figures.audios.append(self.receiver.audio[ssrc])
                    continue
                video = VideoFigures(self.receiver.video[ssrc], story.layers, epoch, story.seconds)
                figures.videos.append(video)
                videos[track.sid] = video
        self._sample(figures, videos, epoch)
        self.time.run(story.seconds)
        return figures

    def _sample(self, figures: Figures, videos: dict[str, VideoFigures], epoch: float) -> None:
        """Note what the server thinks of the subscriber."""
        now = self.time.now - epoch
        peer = self.client.peer
        assert peer is not None
        estimate = self.estimate_of(peer)
        if estimate is not None:
            figures.estimates.append((now, estimate))
        for sid, video in videos.items():
            subscription = self.member.participant.subscriptions.get(sid)
            if subscription is None or subscription.state == "active":
                continue
            reason = subscription.reason
            last = video.paused[-1] if video.paused else None
            if last and last[1] >= now - 1e-6 and last[2] == reason:
                video.paused[-1] = last[0], now + SAMPLE_INTERVAL, reason
            else:
                video.paused.append((now, now + SAMPLE_INTERVAL, reason))
        if now < self.story.seconds:
            self.time.call_later(SAMPLE_INTERVAL, partial(self._sample, figures, videos, epoch))


def tell(story: Story) -> Figures:
    """Tell a story to its end."""
    return Scenario(story).run()

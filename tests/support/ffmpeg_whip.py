"""Publish the known picture and a tone with FFmpeg's WHIP muxer, until standard input ends.

    python -m tests.support.ffmpeg_whip URL [TOKEN]

A process of its own, because the muxer blocks while the server answers.
"""

import datetime
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.media import (
    AUDIO_TIME_BASE,
    FRAME_SAMPLES,
    SAMPLE_RATE,
    picture,
    video_frame,
)

RATE = 15  # frames/s
TONE = 440.0  # Hz


def certificate(directory: Path) -> dict[str, str]:
    """A certificate for DTLS, as options of the muxer.

    With GnuTLS the muxer would make one of its own with a P-224 key, which OpenSSL from 4.0 refuses
    (RFC 8422 deprecates the curve).
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ffmpeg")])
    today = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    files = {"cert_file": directory / "certificate.pem", "key_file": directory / "key.pem"}
    files["cert_file"].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    files["key_file"].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return {name: str(path) for name, path in files.items()}


def main(url: str, token: str = "") -> None:
    with tempfile.TemporaryDirectory() as directory:
        options = certificate(Path(directory))
        if token:
            options["authorization"] = token
        publish(url, options)


def publish(url: str, options: dict[str, str]) -> None:
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    with av.open(url, "w", format="whip", options=options) as container:
        video = container.add_stream("libx264", rate=RATE)
        assert isinstance(video, av.VideoStream)
        luma = picture()
        video.height, video.width = luma.shape
        video.pix_fmt = "yuv420p"
        video.time_base = Fraction(1, RATE)
        video.options = {
            "profile": "baseline",
            "preset": "ultrafast",
            "tune": "zerolatency",
            "g": str(RATE),
        }
        audio = container.add_stream("libopus", rate=SAMPLE_RATE)
        assert isinstance(audio, av.AudioStream)
        audio.layout = "stereo"
        start = time.monotonic()
        samples = frames = 0
        while not ended.is_set():
            now = time.monotonic() - start
            due = min(samples / SAMPLE_RATE, frames / RATE)
            if due > now:
                time.sleep(due - now)
            if samples / SAMPLE_RATE <= frames / RATE:
                at = np.arange(samples, samples + FRAME_SAMPLES) / SAMPLE_RATE
                tone = (12000 * np.sin(2 * np.pi * TONE * at)).astype(np.int16)
                sound = av.AudioFrame.from_ndarray(
                    np.repeat(tone, 2).reshape(1, -1), format="s16", layout="stereo"
                )
                sound.sample_rate = SAMPLE_RATE
                sound.time_base = AUDIO_TIME_BASE
                sound.pts = samples
                samples += FRAME_SAMPLES
                container.mux(audio.encode(sound))
            else:
                frame = video_frame(luma)
                frame.time_base = Fraction(1, RATE)
                frame.pts = frames
                frames += 1
                container.mux(video.encode(frame))


if __name__ == "__main__":
    av.logging.set_level(av.logging.WARNING)
    main(*sys.argv[1:])

"""Who lost what did not come: publishers on purpose, the tester, the kernel, or the server."""

from collections.abc import Mapping

Metrics = Mapping[str, float | None]


def who_lost(metrics: Metrics) -> list[str]:
    """Sentences on the losses of a run, from its figures: first what was lost, then where.

    Datagrams that a socket dropped may have been sent again afterwards, so these numbers are clues
    and do not add up to the loss.
    """
    lost = metrics.get("packets_lost")
    if lost is None or metrics.get("loss") is None:
        return []
    clues = [
        *_ours(metrics),
        *_kernel(metrics),
        *_server(metrics),
        *_on_purpose(metrics),
    ]
    if not lost:
        return ["No packet is missing.", *clues]
    if not clues:
        clues = [_nobody(metrics)]
    return [f"{lost:,.0f} packets are missing after all repairs.", *clues]


def _ours(metrics: Metrics) -> list[str]:
    drops = metrics.get("tester_drops")
    if not drops:
        return []
    return [
        f"The tester's own sockets dropped {drops:,.0f} datagrams: use more --processes, or a "
        "machine of its own."
    ]


def _kernel(metrics: Metrics) -> list[str]:
    drops = metrics.get("kernel_drops")
    if not drops:
        return []
    return [
        f"The kernel dropped {drops:,.0f} packets between server and tester "
        "(net.core.netdev_max_backlog)."
    ]


def _server(metrics: Metrics) -> list[str]:
    drops = metrics.get("server_drops")
    if not drops:
        return []
    return [f"The server's sockets dropped {drops:,.0f} datagrams before it read them."]


def _on_purpose(metrics: Metrics) -> list[str]:
    dropped, resent = metrics.get("dropped_on_purpose"), metrics.get("resent") or 0
    if not dropped:
        return []
    return [
        f"Publishers left out {dropped:,.0f} packets on purpose, and sent {resent:,.0f} again when "
        "asked."
    ]


def _nobody(metrics: Metrics) -> str:
    if metrics.get("server_drops") is None:
        return (
            "The tester's sockets dropped nothing: it was the server, or its sockets, of which "
            "--server-pid would tell."
        )
    return (
        "Neither the tester's sockets nor the server's nor the kernel between them dropped any: "
        "the server lost them inside, or did not send them."
    )

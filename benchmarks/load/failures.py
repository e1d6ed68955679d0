"""What went wrong, as one sentence for people: no names of exceptions, nothing to look up."""

import errno
import json
import os
import resource
import socket
import ssl
import sys

import aiohttp

from benchmarks.load.connection import ConnectError
from benchmarks.load.description import DescriptionError

TOO_MANY_FILES = "Too many files are open"
FILES_SPARE = 4  # below the limit by less: a look-up of a name has failed of that, and says not so

_REASONS = {
    errno.ECONNREFUSED: "nobody listens there",
    errno.ECONNRESET: "it broke the connection",
    errno.EPIPE: "it broke the connection",
    errno.EHOSTUNREACH: "there is no way to it",
    errno.ENETUNREACH: "there is no way to it",
}


class JoinError(Exception):
    """A client could not join; the message is a sentence."""


def explain(error: Exception, *, join_timeout: float) -> str:
    """The sentence for an error that ended a client's join.

    Args:
        error: Any that `Protocol.join` raises.
        join_timeout: Seconds that it had, for a time-out.
    """
    if isinstance(error, JoinError | ConnectError | DescriptionError):
        return str(error)
    if is_out_of_files(error):
        return f"{TOO_MANY_FILES}: a process of the tester may have {file_limit()}."
    if isinstance(error, TimeoutError):
        return f"No answer within {join_timeout:g} s."
    if isinstance(error, aiohttp.ClientError | OSError):
        return _unreachable(error)
    if isinstance(error, KeyError | IndexError | TypeError | ValueError | AttributeError):
        return f"The server's answer cannot be understood: {_misunderstanding(error)}."
    return f"The tester itself has failed: {error!r}."


def file_limit() -> int:
    """How many files this process may have open."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def allow_many_files() -> None:
    """Raise this process's limit of open files as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):
            return  # the lower limit holds, and is told of when it is reached


def is_out_of_files(error: BaseException) -> bool:
    """Whether an error came because no more files may be opened."""
    cause = getattr(error, "os_error", error)
    if not isinstance(cause, OSError):
        return False
    if isinstance(cause, socket.gaierror):  # that look-up needs files, but does not say so
        return _open_files() > file_limit() - FILES_SPARE
    return cause.errno in (errno.EMFILE, errno.ENFILE)


def _open_files() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError as error:
        return file_limit() if error.errno == errno.EMFILE else 0


def _unreachable(error: Exception) -> str:
    if isinstance(error, aiohttp.InvalidURL):
        return f"The server's address cannot be used: {error}."
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = error.certificate_error
        said = getattr(why, "verify_message", "") or str(why)
        return f"The server's certificate is not to be trusted ({said}); --insecure takes it."
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"There is no WebSocket at {error.request_info.url} ({error.status})."
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "The server broke the connection before it answered."
    cause = getattr(error, "os_error", error)
    if isinstance(cause, ssl.SSLError):
        reason = (cause.reason or str(cause)).replace("_", " ").lower()
        return f"TLS with the server failed ({reason}): perhaps it speaks plain HTTP there."
    if isinstance(cause, socket.gaierror):
        host = getattr(error, "host", "")
        return f"The server cannot be reached: nobody knows the name {host}.".replace(" .", ".")
    return f"The server cannot be reached: {_reason(cause)}."


def _reason(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    if number in _REASONS:
        return _REASONS[number]
    # asyncio puts what happened at several addresses of a name into one text
    if "Connect call failed" in str(error):
        return _REASONS[errno.ECONNREFUSED]
    return (os.strerror(number) if number else str(error)) or type(error).__name__


def _misunderstanding(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return "it is no JSON"
    if isinstance(error, UnicodeError):
        return "it is no text"
    if isinstance(error, KeyError):
        return f'it lacks "{error.args[0]}"'
    return "it is not what the protocol wants"

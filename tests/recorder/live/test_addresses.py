import pytest

from recorder.live.addresses import AddressError, parse_address


@pytest.mark.parametrize(
    ("url", "host", "port", "application", "key", "public"),
    [
        ("rtmp://a.example/live/k", "a.example", 1935, "live", "k", "rtmp://a.example/live"),
        ("rtmps://a.example/x/y/k?t=1", "a.example", 443, "x/y", "k?t=1", "rtmps://a.example/x/y"),
        ("rtmp://u:p@a:1936/live/k/", "a", 1936, "live", "k", "rtmp://a:1936/live"),
        ("RTMP://[::1]/live/k", "::1", 1935, "live", "k", "rtmp://[::1]/live"),
        ("srt://a:9000?passphrase=p&latency=20", "a", 9000, "", "", "srt://a:9000"),
        ("srt://a:9000?mode=caller", "a", 9000, "", "", "srt://a:9000"),
    ],
)
def test_addresses_are_taken_apart(
    url: str, host: str, port: int, application: str, key: str, public: str
) -> None:
    address = parse_address(url)
    assert (address.host, address.port) == (host, port)
    assert (address.application, address.key, address.public) == (application, key, public)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://a/live/k", "must begin with rtmp://"),
        ("file:///etc/passwd", "must begin with rtmp://"),
        ("rtmp:///live/k", "must name a host"),
        ("rtmp://a/live", "must name an application and a key"),
        ("rtmp://a:0x/live/k", "malformed"),
        ("rtmp://a/li ve/k", "no spaces"),
        ("rtmp://a/live/k\n", "no spaces"),
        ("srt://a", "must name a port"),
        ("srt://a:9000?mode=listener", "parameters latency, passphrase, pbkeylen, streamid only"),
        ("srt://a:9000?smoother=file", "parameters latency, passphrase, pbkeylen, streamid only"),
        ("srt://a:9000?m%6fde=listener", "parameters latency, passphrase, pbkeylen, streamid only"),
        ("srt://a:9000?streamid=x#&mode=listener", "write # as %23"),
        ("srt://a:9000#?mode=listener", "write # as %23"),
        ("srt://a:9000/x?latency=1", "no more"),
        ("srt://ann@a:9000", "no more"),
        ("srt://a:9000?streamid=x%0Amode=listener", "no spaces or control characters"),
        ("srt://a:9000?streamid=" + "x" * 513, "512 bytes"),
        ("rtmp://a/live/k#", "write # as %23"),
        ("rtmp://a/live/" + "k" * 3000, "2048 characters"),
    ],
)
def test_what_nothing_can_be_pushed_to_is_refused(url: str, words: str) -> None:
    with pytest.raises(AddressError, match=words):
        parse_address(url)


def test_only_what_is_a_parameter_of_srt_is_kept_of_its_address() -> None:
    text = "srt://[::1]:9000/?streamid=%23!::r=a+b&passphrase=p%26q&mode=caller&latency=&"
    address = parse_address(text)
    assert address.origin == "srt://[::1]:9000"
    assert address.parameters == {"streamid": "#!::r=a+b", "passphrase": "p&q"}


def test_logs_do_not_show_what_is_secret() -> None:
    assert "secret" not in repr(parse_address("rtmp://ann:secret@a/live/secret?secret"))
    assert "secret" not in repr(parse_address("srt://a:1?streamid=secret&passphrase=secret"))

from pathlib import Path

import msgspec
import pytest

from sfu.config import Config, IceServer
from signaling.setting_table import SETTINGS, SettingError
from signaling.settings import configure, load

SECRET = "0123456789abcdef0123456789abcdef"
DEV = {"dev": True}


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_flags_beat_environment_which_beats_file(tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.toml", "dev = true\nhttp_port = 1\nudp_port = 2\nmax_rooms = 3\nmax_tracks=4"
    )
    environ = {"AIOSFU_HTTP_PORT": "11", "AIOSFU_UDP_PORT": "12"}
    config = load({"http_port": "21"}, environ=environ, file=file)
    assert (config.http_port, config.udp_port, config.max_rooms) == (21, 12, 3)
    assert config.max_participants == Config().max_participants


def test_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", "dev = true\nhttp_port = 1")
    assert load({}, environ={"AIOSFU_CONFIG": str(file)}).http_port == 1


def test_flag_names_the_file_before_the_environment(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", "dev = true\nhttp_port = 1")
    environ = {"AIOSFU_CONFIG": str(tmp_path / "missing.toml")}
    assert load({}, environ=environ, file=file).http_port == 1


def test_empty_variable_is_not_set() -> None:
    assert load(DEV, environ={"AIOSFU_HTTP_PORT": ""}).http_port == 8080


@pytest.mark.parametrize("text", ["true", "1", "yes", "ON", " True "])
def test_true_in_the_environment(text: str) -> None:
    assert load({}, environ={"AIOSFU_DEV": text}).dev is True


@pytest.mark.parametrize("text", ["false", "0", "no", "off"])
def test_false_in_the_environment(text: str) -> None:
    assert load(DEV, environ={"AIOSFU_ICE_TCP": text}).ice_tcp is False


def test_every_setting_can_come_from_the_environment() -> None:
    samples = {
        "host": "127.0.0.1, ::1",
        "media_host": "127.0.0.2",
        "announce": "192.0.2.1,2001:DB8::1",
        "cors_origins": "https://a.example,https://B.example:443",
        "ice_servers": "stun:stun.example.org:3478",
        "dev": "false",
        "ice_tcp": "no",
        "api_key": "key",
        "api_secret": SECRET,
        "tls_certificate": "c.pem",
        "tls_key": "k.pem",
        "log_format": "json",
        "log_level": "debug",
        "congestion_control": "off",
        "dynacast": "false",
        "trace": "traces",
        "record_rooms": "lecture-*,board",
        "recording_keep_local": "yes",
        "recording_storage": "s3",
        "s3_bucket": "recordings",
        "s3_endpoint": "https://s3.example.org",
        "s3_access_key": "key",
        "s3_secret_key": SECRET,
    }
    environ = {}
    for name, setting in SETTINGS.items():
        fallback = str(msgspec.structs.asdict(Config())[name])
        environ[setting.variable] = samples.get(name, fallback)
    config = load({}, environ=environ)
    assert config.host == ("127.0.0.1", "::1")
    assert config.announce == ("192.0.2.1", "2001:db8::1")
    assert config.cors_origins == ("https://a.example", "https://b.example")
    assert config.ice_servers == (IceServer(("stun:stun.example.org:3478",)),)
    assert config.api_secret == SECRET
    assert (config.congestion_control, config.dynacast) == (False, False)
    assert (config.last_n, config.audio_top_k, config.trace) == (0, 0, "traces")
    assert config.record_rooms == ("lecture-*", "board")
    assert (config.recording_storage, config.recording_keep_local) == ("s3", True)
    assert config.s3_secret_key == SECRET


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("http_port", "abc", "a whole number from 0 to 65535"),
        ("http_port", "65536", "a whole number from 0 to 65535"),
        ("http_port", "-1", "a whole number from 0 to 65535"),
        ("http_port", "80.5", "a whole number from 0 to 65535"),
        ("max_rooms", "0", "a whole number, 1 or more"),
        ("last_n", "-1", "a whole number, 0 or more"),
        ("audio_top_k", "all", "a whole number, 0 or more"),
        ("congestion_control", "gcc", "true or false"),
        ("grace_period", "0", "a number greater than 0"),
        ("grace_period", "nan", "a number greater than 0"),
        ("grace_period", "inf", "a number greater than 0"),
        ("grace_period", "soon", "a number greater than 0"),
        ("ice_tcp", "maybe", "true or false"),
        ("log_level", "loud", "debug, info, warning or error"),
        ("host", "example.org", "an IP address of this machine"),
        ("announce", "example.org", "an IP address that clients can reach"),
        ("announce", "0.0.0.0", "an IP address that clients can reach"),
        ("announce", "fe80::1%eth0", "an IP address that clients can reach"),
        ("cors_origins", "example.org", "* or web origins like https://example.org"),
        ("cors_origins", "https://example.org/path", "* or web origins like https://example.org"),
    ],
)
def test_message_names_setting_value_origin_and_what_is_allowed(
    name: str, text: str, allowed: str
) -> None:
    with pytest.raises(SettingError) as caught:
        load(DEV, environ={SETTINGS[name].variable: text})
    message = caught.value.message
    assert message.startswith(f'{name}: "{text}" (from {SETTINGS[name].variable}) is not allowed;')
    assert allowed in message


def test_message_names_the_flag() -> None:
    with pytest.raises(SettingError, match=r"\(from --http-port\)"):
        load({"http_port": "x"}, environ={"AIOSFU_HTTP_PORT": "1"})


def test_message_names_the_file(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", "http_port = 99999")
    with pytest.raises(SettingError, match=rf"http_port: 99999 \(from {file}\)"):
        load(DEV, environ={}, file=file)


@pytest.mark.parametrize("text", ["http_port = true", "http_port = 1.5", "dev = 1", "host = [1]"])
def test_wrong_toml_types_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingError, match="is not allowed"):
        load({}, environ={}, file=write(tmp_path / "a.toml", text))


def test_unknown_name_in_the_file_gets_a_hint(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", "htpp_port = 1")
    with pytest.raises(SettingError, match=r"htpp_port .* Did you mean http_port"):
        load(DEV, environ={}, file=file)


def test_missing_file_is_named() -> None:
    with pytest.raises(SettingError, match=r"none.toml cannot be read: No such file"):
        load(DEV, environ={}, file="none.toml")


@pytest.mark.parametrize("content", [b"dev = ", b"\xff\xfe"])
def test_file_that_is_not_toml_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(SettingError, match=r"a.toml is not TOML"):
        load(DEV, environ={}, file=tmp_path / "a.toml")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("AIOSFU_API_SECERT", "Did you mean AIOSFU_API_SECRET"),
        ("AIOSFU_CONFIGG", "Did you mean AIOSFU_CONFIG"),
        ("AIOSFU_NONSENSE", "is not a setting"),
        ("AIOSFU_HTP_PORT", "Did you mean AIOSFU_HTTP_PORT"),
    ],
)
def test_unknown_variable_is_refused(name: str, hint: str) -> None:
    with pytest.raises(SettingError, match=name) as caught:
        load(DEV, environ={name: "1"})
    assert hint in caught.value.message


def test_variables_of_others_and_of_container_services_are_not_ours() -> None:
    environ = {
        "HOME": "/",
        "AIOSFU_PORT": "tcp://10.0.0.1:80",
        "AIOSFU_PORT_80_TCP": "tcp://10.0.0.1:80",
        "AIOSFU_PORT_80_TCP_ADDR": "10.0.0.1",
        "AIOSFU_PORT_80_TCP_PROTO": "tcp",
        "AIOSFU_SERVICE_HOST": "10.0.0.1",
        "AIOSFU_SERVICE_PORT": "80",
        "AIOSFU_WEB_SERVICE_PORT_HTTP": "80",
    }
    assert load(DEV, environ=environ).http_port == 8080


# What settings must be together.


def test_nothing_set_is_refused_with_advice() -> None:
    with pytest.raises(SettingError, match=r"api_key and api_secret are not set.*or dev"):
        load({}, environ={})


@pytest.mark.parametrize("name", ["api_key", "api_secret"])
@pytest.mark.parametrize("dev", [True, False])
def test_half_a_key_is_refused(name: str, dev: bool) -> None:
    missing = {"api_key": "api_secret", "api_secret": "api_key"}[name]
    with pytest.raises(SettingError, match=f"^{missing}: .* given where {name} is given"):
        load({name: SECRET, "dev": dev}, environ={})


@pytest.mark.parametrize(("length", "good"), [(0, False), (31, False), (32, True), (33, True)])
def test_secret_must_be_long(length: int, good: bool) -> None:
    flags = {"api_key": "key", "api_secret": "s" * length}
    if good:
        assert load(flags, environ={}).api_secret == "s" * length
        return
    with pytest.raises(SettingError, match="api_secret"):
        load(flags, environ={})


def test_secret_is_never_shown() -> None:
    with pytest.raises(SettingError) as caught:
        load({"api_key": "key"}, environ={"AIOSFU_API_SECRET": "hunter2"})
    assert "hunter2" not in caught.value.message
    assert "AIOSFU_API_SECRET" in caught.value.message


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost", "::ffff:127.0.0.1"])
def test_dev_on_loopback(host: str) -> None:
    assert load({"dev": True, "host": (host,)}, environ={}).dev


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1"])
def test_dev_elsewhere_is_refused(host: str) -> None:
    with pytest.raises(SettingError, match=r"host: .* \(from AIOSFU_HOST\).* loopback"):
        load(DEV, environ={"AIOSFU_HOST": f"127.0.0.1,{host}"})


def test_media_may_listen_elsewhere_but_not_with_dev() -> None:
    config = load({**DEV, "media_host": ("127.0.0.2",)}, environ={})
    assert (config.host, config.media_hosts) == (("127.0.0.1",), ("127.0.0.2",))
    assert load(DEV, environ={}).media_hosts == ("127.0.0.1",)
    with pytest.raises(SettingError, match=r"media_host: .* loopback"):
        load({**DEV, "media_host": ("0.0.0.0",)}, environ={})
    with pytest.raises(SettingError, match=r"media_host: .*an IP address"):
        load({**DEV, "media_host": ("example.org",)}, environ={})


def test_host_in_normal_form_once() -> None:
    config = load({"dev": True, "host": ("localhost", "127.0.0.1", "0::1")}, environ={})
    assert config.host == ("127.0.0.1", "::1")


def test_no_host_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="one IP address or more"):
        load(DEV, environ={}, file=write(tmp_path / "a.toml", "host = []"))


@pytest.mark.parametrize("name", ["tls_certificate", "tls_key"])
def test_half_a_certificate_is_refused(name: str) -> None:
    with pytest.raises(SettingError, match=r"tls_.* given where"):
        load({**DEV, name: "x.pem"}, environ={})


def test_ports_of_http_and_media_must_differ() -> None:
    with pytest.raises(SettingError, match="tcp_port: 8080"):
        load({**DEV, "tcp_port": "8080"}, environ={})
    assert load({**DEV, "tcp_port": "8080", "ice_tcp": "false"}, environ={}).tcp_port == 8080
    assert load({**DEV, "tcp_port": "0", "http_port": "0"}, environ={}).tcp_port == 0


# Recordings.


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"recording_template": "{room}/{identity}.mkv"}, "recording_template: .*{recording}"),
        ({"recording_template": "../{recording}/x"}, "recording_template: .*relative path"),
        ({"recording_template": "{recording}/{color}"}, "recording_template: .*{color}"),
        ({"recordings_dir": "", "record_rooms": ("a",)}, "recordings_dir: .*record_rooms"),
        ({"recording_storage": "s3"}, "s3_bucket: .* given where recording_storage is s3"),
        ({"recording_storage": "tape"}, "recording_storage: .*local or s3"),
        ({"s3_access_key": "a"}, "s3_secret_key: .* given where s3_access_key"),
        ({"s3_secret_key": "hunter2"}, "s3_access_key: .* given where s3_secret_key"),
        ({"s3_endpoint": "s3.example.org"}, "s3_endpoint: .*https://s3.example.org"),
        ({"s3_endpoint": "http://a:b@s3.example.org"}, "s3_endpoint: .*URL"),
        ({"max_recordings": "0"}, "max_recordings: .*1 or more"),
    ],
)
def test_settings_of_recordings_that_cannot_be(flags: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingError, match=sentence) as caught:
        load({**DEV, **flags}, environ={})
    assert "hunter2" not in caught.value.message


def test_recording_can_be_forbidden() -> None:
    assert load({**DEV, "recordings_dir": ""}, environ={}).recordings_dir == ""


# ICE servers.


def test_ice_servers_as_json_text() -> None:
    text = '[{"urls": ["turn:t.example.org"], "username": "u", "credential": "c"}]'
    config = load(DEV, environ={"AIOSFU_ICE_SERVERS": text})
    assert config.ice_servers == (IceServer(("turn:t.example.org",), "u", "c"),)


def test_ice_servers_in_toml(tmp_path: Path) -> None:
    text = '[[ice_servers]]\nurls = ["turns:t.example.org"]\nusername = "u"\ncredential = "c"\n'
    config = load(DEV, environ={}, file=write(tmp_path / "a.toml", text))
    assert config.ice_servers == (IceServer(("turns:t.example.org",), "u", "c"),)


@pytest.mark.parametrize(
    "text",
    [
        "example.org",
        "http://example.org",
        "stun://example.org",
        "stun:",
        "stun:a b",
        "stun:a>b",
        '{"urls": ["turn:t.example.org"], "username": "u", "credential": "a\\r\\nb"}',
        "{bad",
        "[1]",
        '{"urls": []}',
        '{"urls": ["turn:t.example.org"]}',
        '{"username": "hunter2"}',
    ],
)
def test_bad_ice_servers_are_refused_and_not_shown(text: str) -> None:
    with pytest.raises(SettingError, match="ice_servers") as caught:
        load(DEV, environ={"AIOSFU_ICE_SERVERS": text})
    assert "hunter2" not in caught.value.message


# Embedding.


def test_arguments_change_a_config() -> None:
    config = configure(Config(dev=True, http_port=1), {"http_port": 2, "host": "::1"})
    assert (config.http_port, config.host, config.dev) == (2, ("::1",), True)


def test_config_is_checked_too() -> None:
    with pytest.raises(SettingError, match="http_port: 70000"):
        configure(Config(dev=True, http_port=70000), {})


def test_ice_server_objects_pass() -> None:
    server = IceServer(("stun:stun.example.org",))
    assert configure(Config(dev=True, ice_servers=(server,)), {}).ice_servers == (server,)


@pytest.mark.parametrize("value", [object(), None, [], {}, b"1", "x" * 10_000])
def test_strange_arguments_are_refused_in_few_words(value: object) -> None:
    with pytest.raises(SettingError, match="http_port") as caught:
        configure(None, {"dev": True, "http_port": value})
    assert len(caught.value.message) < 300


def test_unknown_argument_gets_a_hint() -> None:
    with pytest.raises(SettingError, match="Did you mean http_port"):
        configure(None, {"http_prt": 1})


def test_representation_has_no_secrets() -> None:
    server = IceServer(("turn:t.example",), "user", "hidden credential")
    config = Config(api_key="key", api_secret=SECRET, ice_servers=(server,))
    for text in (repr(config), str(config), str(config.__rich_repr__())):
        assert SECRET not in text
        assert "hidden" not in text
        assert "api_secret" in text
        assert "turn:t.example" in text
    assert "api_secret=''" in repr(Config())
    assert msgspec.json.decode(msgspec.json.encode(config), type=Config) == config

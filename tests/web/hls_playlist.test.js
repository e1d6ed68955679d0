import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMaster, parsePlaylist } from "../../web/client/hls_playlist.js";

test("the variant and its codecs are found", () => {
  const text =
    '#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="avc1.64001F,mp4a.40.2"\nlive.m3u8\n';
  assert.deepEqual(parseMaster(text), { uri: "live.m3u8", codecs: "avc1.64001F,mp4a.40.2" });
});

test("segments are numbered from the media sequence, each with its beginning", () => {
  const text = [
    "#EXTM3U",
    "#EXT-X-TARGETDURATION:4",
    "#EXT-X-MEDIA-SEQUENCE:41",
    '#EXT-X-MAP:URI="init-0.mp4"',
    "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.250Z",
    "#EXTINF:2.000,",
    "a.m4s",
    "#EXT-X-DISCONTINUITY",
    '#EXT-X-MAP:URI="init-1.mp4?token=x"',
    "#EXTINF:1.960,",
    "b.m4s",
    "",
  ];
  assert.deepEqual(parsePlaylist(text.join("\r\n")), {
    segments: [
      { number: 41, uri: "a.m4s", init: "init-0.mp4", duration: 2 },
      { number: 42, uri: "b.m4s", init: "init-1.mp4?token=x", duration: 1.96 },
    ],
    ended: false,
  });
  assert.equal(parsePlaylist([...text, "#EXT-X-ENDLIST"].join("\n")).ended, true);
});

test("what is no playlist is refused", () => {
  assert.throws(() => parsePlaylist("<html>"), /no playlist/);
  assert.throws(() => parseMaster("#EXTM3U\nlive.m3u8"), /no variant/);
});

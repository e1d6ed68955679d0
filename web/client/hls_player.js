/**
 * Plays a live composite in a video element, by Media Source Extensions.
 * @module
 */

import { backoffDelay, sleep } from "./backoff.js";
import { Emitter } from "./emitter.js";
import { parseMaster, parsePlaylist } from "./hls_playlist.js";

const BEHIND = 3; // segments that are in the buffer when it begins
const POLL = 1_000; // ms between looks at the playlist; a segment comes every two seconds
const KEPT = 30; // s of what has been seen, in the buffer
const TOO_LATE = 12; // s behind the end, from where it jumps to the present
const AT_END = 4; // s behind the end, where it jumps to
const MAX_ERRORS = 8; // in a row; half a minute

/** @typedef {import("./hls_playlist.js").Segment} Segment */

/**
 * @typedef {object} HlsEvents
 * @property {undefined} playing the first segments are there
 * @property {undefined} ended
 * @property {Error} error it will not go on
 */

/**
 * One player, for one element.
 * @extends {Emitter<HlsEvents>}
 */
export class HlsPlayer extends Emitter {
  #video;
  #url;
  #token;
  #stopped = new AbortController();
  #source = new MediaSource();
  /** @type {SourceBuffer | undefined} */
  #buffer;
  #init = "";
  #next = -1;

  /**
   * Begins to play.
   * @param {HTMLVideoElement} video
   * @param {URL} url of index.m3u8
   * @param {string} [token] for servers that want one
   */
  constructor(video, url, token = "") {
    super();
    this.#video = video;
    this.#url = url;
    this.#token = token;
    video.src = URL.createObjectURL(this.#source);
    this.#source.addEventListener("sourceopen", () => void this.#run(), { once: true });
  }

  /** Ends it; nothing is emitted any more. */
  stop() {
    this.#stopped.abort();
    URL.revokeObjectURL(this.#video.src);
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  async #run() {
    let errors = 0;
    while (!this.#stopped.signal.aborted) {
      try {
        if (await this.#step()) break;
        errors = 0;
        await sleep(POLL, this.#stopped.signal);
      } catch (error) {
        if (this.#stopped.signal.aborted) return;
        errors += 1;
        if (error instanceof Refused || errors > MAX_ERRORS) {
          this.emit("error", /** @type {Error} */ (error));
          return;
        }
        await sleep(backoffDelay(errors), this.#stopped.signal);
      }
    }
  }

  /**
   * Plays what is new.
   * @returns {Promise<boolean>} whether that was the end
   */
  async #step() {
    if (!this.#buffer) {
      const { codecs } = parseMaster(await this.#text("index.m3u8"));
      const type = `video/mp4; codecs="${codecs}"`;
      if (!MediaSource.isTypeSupported(type)) throw new Refused(`This browser cannot play ${type}.`);
      this.#buffer = this.#source.addSourceBuffer(type);
      // One after the other, whatever times they have: so a new beginning is no gap.
      this.#buffer.mode = "sequence";
    }
    const { segments, ended } = parsePlaylist(await this.#playlist());
    const first = this.#next < 0;
    const wanted = first
      ? segments.slice(-BEHIND)
      : segments.filter(({ number }) => number >= this.#next);
    for (const segment of wanted) await this.#append(this.#buffer, segment);
    if (first && wanted.length) {
      this.emit("playing", undefined);
      // Browsers may want a click first; the element's own button is there for that.
      this.#video.play().catch(() => undefined);
    }
    if (!ended) {
      this.#catchUp();
      return false;
    }
    this.#source.endOfStream();
    this.emit("ended", undefined);
    return true;
  }

  /**
   * @param {SourceBuffer} buffer
   * @param {Segment} segment
   */
  async #append(buffer, segment) {
    if (segment.init !== this.#init) {
      await this.#change(buffer, await this.#bytes(segment.init));
      this.#init = segment.init;
    }
    await this.#change(buffer, await this.#bytes(segment.uri));
    this.#next = segment.number + 1;
    const old = this.#video.currentTime - KEPT;
    if (buffer.buffered.length && buffer.buffered.start(0) < old) {
      await this.#change(buffer, undefined, old);
    }
  }

  /**
   * Appends, or removes all before a time.
   * @param {SourceBuffer} buffer
   * @param {ArrayBuffer | undefined} data
   * @param {number} [until]
   */
  async #change(buffer, data, until = 0) {
    await new Promise((resolve, reject) => {
      buffer.addEventListener("updateend", resolve, { once: true });
      buffer.addEventListener("error", () => reject(new Error("A segment is damaged.")), {
        once: true,
      });
      if (data) buffer.appendBuffer(data);
      else buffer.remove(0, until);
    });
  }

  /** Jumps to the present where it has fallen behind, as after a pause. */
  #catchUp() {
    const { buffered, currentTime, paused } = this.#video;
    if (!buffered.length || paused) return;
    const end = buffered.end(buffered.length - 1);
    const start = buffered.start(buffered.length - 1);
    if (end - currentTime > TOO_LATE || currentTime < start) {
      this.#video.currentTime = Math.max(start, end - AT_END);
    }
  }

  /** The segments that there are; when a recording has ended, servers have none any more. */
  async #playlist() {
    try {
      return await this.#text("live.m3u8");
    } catch (error) {
      if (error instanceof Missing && this.#next >= 0) return "#EXTM3U\n#EXT-X-ENDLIST\n";
      throw error;
    }
  }

  /** @param {string} name */
  async #text(name) {
    return (await this.#get(name)).text();
  }

  /** @param {string} name */
  async #bytes(name) {
    return (await this.#get(name)).arrayBuffer();
  }

  /** @param {string} name */
  async #get(name) {
    const headers = this.#token ? { Authorization: `Bearer ${this.#token}` } : undefined;
    const response = await fetch(new URL(name, this.#url), {
      signal: this.#stopped.signal,
      ...(headers && { headers }),
    });
    if (response.status === 401 || response.status === 403) {
      throw new Refused("The server does not let you watch this.");
    }
    if (response.status === 404) throw new Missing(`The server has no ${name}.`);
    if (!response.ok) throw new Error(`The server has no ${name} (${response.status}).`);
    return response;
  }
}

/** There is nothing of that name. */
class Missing extends Error {}

/** It would be no better the next time. */
class Refused extends Error {}

/**
 * The tiles of everybody, arranged to fill the place that there is.
 * @module
 */

import { byId } from "./dom.js";
import { arrange } from "./grid.js";
import { shownName } from "./names.js";
import { Tile } from "./tile.js";

/** @typedef {import("../client/participant.js").LocalParticipant} LocalParticipant */
/** @typedef {import("../client/participant.js").LocalTrack} LocalTrack */
/** @typedef {import("../client/participant.js").Participant} Participant */
/** @typedef {import("../client/participant.js").RemoteTrack} RemoteTrack */
/** @typedef {import("../client/room.js").Room} Room */
/** @typedef {import("./tile.js").Picture} Picture */

const LOCAL = "local"; // key of one's own tile: sids change with a rejoin

/** Shows a room. */
export class Stage {
  #view = byId("stage", HTMLElement);
  /** By key. @type {Map<string, Tile>} */
  #tiles = new Map();
  /** @type {Picture[]} */
  #pictures = [];
  /**
   * The key that the person made large; null: they did not choose; "": nothing shall be large.
   * @type {string | null}
   */
  #pinned = null;
  #room;

  /** @param {Room} room */
  constructor(room) {
    this.#room = room;
    new ResizeObserver(() => this.#place()).observe(this.#view);
  }

  /** Brings the tiles in step with the room. */
  render() {
    this.#pictures = pictures(this.#room);
    const keys = new Set(this.#pictures.map(({ key }) => key));
    for (const [key, tile] of this.#tiles) {
      if (keys.has(key)) continue;
      tile.remove();
      this.#tiles.delete(key);
      if (this.#pinned === key) this.#pinned = null;
    }
    const focused = this.#focused();
    for (const picture of this.#pictures) {
      let tile = this.#tiles.get(picture.key);
      if (!tile) {
        tile = new Tile(picture, {
          pinned: () => this.#pin(picture.key),
          reshaped: () => this.#place(),
        });
        this.#tiles.set(picture.key, tile);
        this.#view.append(tile.element);
      }
      tile.update(picture, picture.key === focused);
    }
    this.#place();
  }

  /**
   * Marks who speaks.
   * @param {Set<string>} sids
   */
  mark(sids) {
    for (const [key, tile] of this.#tiles) tile.speaking = sids.has(key);
  }

  clear() {
    for (const tile of this.#tiles.values()) tile.remove();
    this.#tiles.clear();
    this.#pinned = null;
  }

  /** The person's choice, else the screen shared last. */
  #focused() {
    if (this.#pinned !== null) return this.#pinned;
    return this.#pictures.filter((picture) => picture.screen).at(-1)?.key ?? "";
  }

  /** @param {string} key */
  #pin(key) {
    this.#pinned = this.#focused() === key ? "" : key;
    this.render();
  }

  #place() {
    const { clientWidth: width, clientHeight: height } = this.#view;
    if (!width || !height) return;
    const focused = this.#focused();
    const index = this.#pictures.findIndex(({ key }) => key === focused);
    const shape = this.#tiles.get(focused)?.shape;
    const places = arrange(this.#pictures.length, index, width, height, shape);
    this.#pictures.forEach(({ key }, position) => {
      const place = places[position];
      if (place) this.#tiles.get(key)?.place(place);
    });
  }
}

/** @param {Room} room @returns {Picture[]} */
function pictures(room) {
  const people = [room.local, ...room.participants.values()];
  const screens = people.flatMap((person) =>
    videos(person)
      .filter((track) => track.source !== "camera")
      .map((track) => screenPicture(person, track)),
  );
  return [...people.filter((person) => !person.permissions?.hidden).map(personPicture), ...screens];
}

/** @param {LocalParticipant | Participant} person @returns {(LocalTrack | RemoteTrack)[]} */
function videos(person) {
  return [...person.tracks.values()].filter((track) => track.kind === "video");
}

/** @param {LocalParticipant | Participant} person @returns {Picture} */
function personPicture(person) {
  const name = shownName(person);
  const camera = person.track("camera");
  const microphone = person.track("microphone");
  return {
    key: person.isLocal ? LOCAL : person.sid,
    name,
    identity: person.identity,
    caption: person.isLocal ? `${name} (you)` : name,
    screen: false,
    mirrored: person.isLocal,
    muted: !microphone || microphone.muted,
    video: camera && !camera.muted ? camera.mediaStreamTrack : null,
    note: note(camera),
  };
}

/**
 * @param {LocalParticipant | Participant} person
 * @param {LocalTrack | RemoteTrack} track
 * @returns {Picture}
 */
function screenPicture(person, track) {
  const name = shownName(person);
  return {
    key: `${person.isLocal ? LOCAL : person.sid}/${person.isLocal ? "screen" : track.sid}`,
    name,
    identity: person.identity,
    caption: person.isLocal ? "Your screen" : `${name}'s screen`,
    screen: true,
    mirrored: false,
    muted: false,
    video: track.muted ? null : track.mediaStreamTrack,
    note: note(track),
  };
}

/** @param {LocalTrack | RemoteTrack | undefined} track */
function note(track) {
  if (!track || track.isLocal || track.muted) return "";
  if (track.state === "failed") {
    return track.reason === "codec_unsupported"
      ? "Your browser cannot show this video"
      : "This video cannot be received";
  }
  return "";
}

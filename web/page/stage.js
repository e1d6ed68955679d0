/**
 * The tiles of everybody, arranged to fill the place that there is.
 * @module
 */

import { byId } from "./dom.js";
import { arrange } from "./grid.js";
import { shownName } from "./names.js";
import { Seats } from "./seats.js";
import { Tile } from "./tile.js";
import { explainPause, explainUnseated } from "./words.js";

/** @typedef {import("../client/participant.js").LocalParticipant} LocalParticipant */
/** @typedef {import("../client/participant.js").LocalTrack} LocalTrack */
/** @typedef {import("../client/participant.js").Participant} Participant */
/** @typedef {import("../client/participant.js").RemoteTrack} RemoteTrack */
/** @typedef {import("../client/room.js").Room} Room */
/** @typedef {import("./tile.js").Picture} Picture */

const LOCAL = "local"; // key of one's own tile: sids change with a rejoin

const LEAST_TILE = 160 * 110; // square px; a face in less tells nobody anything
const STRIP = 0.3; // share of the stage that is left for people beside something large

/** Shows a room. */
export class Stage {
  #view = byId("stage", HTMLElement);
  #unseated = byId("unseated", HTMLElement);
  /** By key. @type {Map<string, Tile>} */
  #tiles = new Map();
  #seats = new Seats();
  /** Those that have a tile. @type {Picture[]} */
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
    new ResizeObserver(() => this.#resized()).observe(this.#view);
  }

  /** Brings the tiles in step with the room. */
  render() {
    const all = pictures(this.#room);
    const there = all.some(({ key }) => key === this.#pinned);
    if (this.#pinned && !there) this.#pinned = null;
    this.#pictures = this.#seat(all);
    const keys = new Set(this.#pictures.map(({ key }) => key));
    for (const [key, tile] of this.#tiles) {
      if (keys.has(key)) continue;
      this.#room.unobserve(tile.element);
      tile.remove();
      this.#tiles.delete(key);
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
      // The tile and not its video, which is as large and not there while it is muted.
      if (picture.received) this.#room.observe(picture.received, tile.element);
      else this.#room.unobserve(tile.element);
    }
    this.#place();
  }

  /**
   * Marks who speaks; they get a tile where they have none.
   * @param {Set<string>} sids
   */
  mark(sids) {
    this.#seats.hear(sids);
    if ([...sids].some((key) => !this.#tiles.has(key))) this.render();
    for (const [key, tile] of this.#tiles) tile.speaking = sids.has(key);
  }

  clear() {
    for (const tile of this.#tiles.values()) {
      this.#room.unobserve(tile.element);
      tile.remove();
    }
    this.#tiles.clear();
    this.#pictures = [];
    this.#seats.clear();
    this.#pinned = null;
  }

  /**
   * Chooses whom there is a place for.
   * @param {Picture[]} all
   */
  #seat(all) {
    const { clientWidth, clientHeight } = this.#view;
    const screens = all.filter(({ screen }) => screen);
    const large = this.#pinned !== null ? this.#pinned : screens.at(-1)?.key;
    const area = clientWidth * clientHeight * (large ? STRIP : 1);
    const count = Math.max(2, Math.floor(area / LEAST_TILE)) + (large ? 1 : 0);
    const fixed = [LOCAL, large ?? "", ...screens.map(({ key }) => key)];
    const keys = all.map(({ key }) => key);
    const seated = this.#seats.choose(keys, count, fixed.filter((key) => keys.includes(key)));
    const words = explainUnseated(all.length - seated.length);
    this.#unseated.textContent = this.#unseated.title = words;
    this.#unseated.hidden = seated.length === all.length;
    return seated.flatMap((key) => all.find((picture) => picture.key === key) ?? []);
  }

  #resized() {
    if (this.#tiles.size) this.render();
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
    received: received(camera),
    quality: person.quality,
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
    received: received(track),
    quality: null,
    note: note(track),
  };
}

/** @param {LocalTrack | RemoteTrack | undefined} track */
function received(track) {
  return track && !track.isLocal ? track : null;
}

/** @param {LocalTrack | RemoteTrack | undefined} track */
function note(track) {
  return track && !track.isLocal ? explainPause(track) : "";
}

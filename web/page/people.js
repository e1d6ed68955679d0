/**
 * The list of who is in the room.
 * @module
 */

import { byId, create } from "./dom.js";
import { icon } from "./icons.js";
import { shownName } from "./names.js";
import { avatar } from "./tile.js";

/** @typedef {import("../client/participant.js").LocalParticipant} LocalParticipant */
/** @typedef {import("../client/participant.js").Participant} Participant */
/** @typedef {import("../client/room.js").Room} Room */

/** Shows names, microphones and cameras. */
export class People {
  #list = byId("people-list", HTMLElement);
  #counts = [byId("people-count", HTMLElement), byId("people-badge", HTMLElement)];
  #room;

  /** @param {Room} room */
  constructor(room) {
    this.#room = room;
  }

  render() {
    const others = [...this.#room.participants.values()].sort((a, b) =>
      a.name.localeCompare(b.name),
    );
    const people = [this.#room.local, ...others].filter((person) => !person.permissions?.hidden);
    for (const count of this.#counts) count.textContent = String(people.length);
    this.#list.replaceChildren(...people.map(row));
  }
}

/** @param {LocalParticipant | Participant} person */
function row(person) {
  const microphone = person.track("microphone");
  const camera = person.track("camera");
  const name = shownName(person);
  const item = create(
    "li",
    { class: "person" },
    avatar(name, person.identity),
    create("span", { class: "person-name", text: person.isLocal ? `${name} (you)` : name }),
  );
  if (person.track("screen_share")) item.append(state("screen", "sharing a screen", true));
  item.append(
    device("microphone", Boolean(microphone && !microphone.muted)),
    device("camera", Boolean(camera && !camera.muted)),
  );
  return item;
}

/**
 * @param {"camera" | "microphone"} name
 * @param {boolean} on
 */
function device(name, on) {
  return state(on ? name : `${name}-off`, `${name} ${on ? "on" : "off"}`, on);
}

/**
 * @param {string} iconName
 * @param {string} text
 * @param {boolean} on
 */
function state(iconName, text, on) {
  const attributes = { role: "img", "aria-label": text, title: text };
  return create("span", { class: on ? "state" : "state off", attributes }, icon(iconName));
}

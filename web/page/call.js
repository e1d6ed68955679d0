/**
 * The call: stage, toolbar, panel and what there is to say about the connection.
 * @module
 */

import { canShareScreen } from "../client/media.js";
import { Arrivals } from "./arrivals.js";
import { Broadcast } from "./broadcast.js";
import { Chat } from "./chat.js";
import { DeviceMenu } from "./device_menu.js";
import { byId, coalesced, label } from "./dom.js";
import { setIcon } from "./icons.js";
import { RoomLink } from "./links.js";
import { plain, shownName } from "./names.js";
import { Panel } from "./panel.js";
import { People } from "./people.js";
import { Recording } from "./recording.js";
import { RecordingPanel } from "./recording_panel.js";
import { Sound } from "./sound.js";
import { Speaking } from "./speaking.js";
import { Stage } from "./stage.js";
import { Statistics } from "./statistics.js";
import { showToasts, toast } from "./toasts.js";
import { Unseen } from "./unseen.js";
import {
  explain,
  explainDevice,
  explainDevices,
  explainError,
  explainReconnecting,
} from "./words.js";

/** @typedef {import("../client/participant.js").PublishOptions} PublishOptions */
/** @typedef {import("../client/room.js").Room} Room */
/** @typedef {import("./devices.js").DeviceName} DeviceName */
/** @typedef {import("./devices.js").Devices} Devices */
/** @typedef {import("./meter.js").Meter} Meter */

/** Events of a room after which something looks different. */
const VISIBLE = /** @type {const} */ ([
  "participantjoined",
  "participantleft",
  "participantupdated",
  "trackpublished",
  "trackunpublished",
  "trackupdated",
  "tracksubscribed",
  "trackunsubscribed",
  "subscriptionchanged",
  "localtrackpublished",
  "localtrackunpublished",
  "localtrackupdated",
  "localparticipantupdated",
  "connectionqualitychanged",
]);

/** Shows a room that was joined. */
export class Call {
  #view = byId("call", HTMLElement);
  #title = byId("room-title", HTMLElement);
  #connection = byId("connection-banner", HTMLElement);
  #alone = byId("alone", HTMLElement);
  #buttons = {
    camera: byId("camera", HTMLButtonElement),
    microphone: byId("microphone", HTMLButtonElement),
    screen: byId("screen", HTMLButtonElement),
    leave: byId("leave", HTMLButtonElement),
    settings: byId("settings", HTMLButtonElement),
  };
  #sound = new Sound();
  #arrivals = new Arrivals();
  #link = new RoomLink();
  /** Identities that are about to join anew, which is no news. @type {Set<string>} */
  #replaced = new Set();
  #update = coalesced(() => this.#render());
  #panel;
  #room;
  #devices;
  #meter;
  #stage;
  #people;
  #statistics;
  #chat;
  #broadcast;
  #speaking;
  #unseen;
  #recording;
  #recordings;

  /**
   * @param {Room} room
   * @param {Devices} devices
   * @param {Meter} meter
   * @param {object} options
   * @param {PublishOptions["preferredCodec"]} options.preferredCodec
   * @param {URL} options.base of the application
   * @param {string} options.token empty where none is needed
   */
  constructor(room, devices, meter, { preferredCodec, base, token }) {
    this.#room = room;
    this.#devices = devices;
    this.#meter = meter;
    this.#stage = new Stage(room);
    this.#people = new People(room);
    this.#statistics = new Statistics(room);
    this.#panel = new Panel((section) => {
      if (section === "chat") this.#chat.focus();
      this.#statistics.open = section === "stats";
      this.#recordings.open = section === "record";
    });
    this.#chat = new Chat(room, () => this.#panel.messageReceived());
    this.#speaking = new Speaking(room, meter, (keys) => this.#stage.mark(keys));
    this.#unseen = new Unseen(room, devices);
    const recording = new Recording(room);
    this.#recording = recording;
    this.#recordings = new RecordingPanel(room, {
      base,
      token,
      starter: (identity) => recording.starter(identity),
      failed: (error) => this.#complain(error),
    });
    this.#broadcast = new Broadcast(room, devices, {
      preferredCodec,
      failed: (error) => this.#complain(error),
      silenced: (device) => toast(`Your ${device} was switched off by somebody who runs this room`),
    });
    new DeviceMenu(byId("call-devices", HTMLElement), devices);
    for (const name of VISIBLE) room.on(name, this.#update);
    devices.on("change", this.#update);
    devices.on("problem", ({ device, code }) => {
      if (!this.#view.hidden) toast(explainDevice(device, code), { problem: true });
    });
    this.#listen();
    this.#connectButtons();
  }

  /**
   * @param {URL} link to the room
   * @param {{personal: boolean}} options personal: it takes an invitation as well to get in
   */
  show(link, { personal }) {
    this.#link.show(link, { personal });
    this.#title.textContent = plain(this.#room.name);
    this.#view.hidden = false;
    showToasts(true);
    this.#connection.hidden = true;
    this.#chat.clear();
    this.#panel.show(null);
    this.#sound.choose(this.#devices.speakerId);
    this.#broadcast.sync();
    this.#speaking.start();
    this.#render();
    this.#title.focus();
  }

  hide() {
    this.#view.hidden = true;
    byId("settings-dialog", HTMLDialogElement).close();
    this.#statistics.open = false;
    this.#recordings.clear();
    this.#speaking.stop();
    this.#stage.clear();
    this.#sound.clear();
    this.#arrivals.clear();
    this.#unseen.clear();
    showToasts(false);
  }

  #listen() {
    const room = this.#room;
    room.on("statechange", ({ state, reason }) => this.#stateChanged(state, reason));
    room.on("error", (error) => this.#complain(error));
    room.on("tracksubscribed", ({ track, mediaStreamTrack }) => {
      if (track.kind === "audio") this.#sound.add(mediaStreamTrack);
    });
    room.on("trackunsubscribed", ({ mediaStreamTrack }) => this.#sound.remove(mediaStreamTrack));
    room.on("participantjoined", ({ participant, existing }) => {
      const replaced = this.#replaced.delete(participant.identity);
      if (!existing && !replaced) this.#arrivals.tell("joined", shownName(participant));
    });
    room.on("participantleft", ({ participant, reason }) => {
      if (reason === "duplicate_identity") this.#replaced.add(participant.identity);
      else if (room.state === "connected") this.#arrivals.tell("left", shownName(participant));
    });
    this.#sound.on("blocked", (blocked) => {
      byId("sound-banner", HTMLElement).hidden = !blocked;
    });
  }

  #connectButtons() {
    for (const device of /** @type {DeviceName[]} */ (["camera", "microphone"])) {
      this.#buttons[device].addEventListener("click", () => this.#toggle(device));
    }
    this.#buttons.screen.addEventListener("click", () => void this.#toggleScreen());
    this.#buttons.leave.addEventListener("click", () => this.#room.leave());
    this.#buttons.settings.addEventListener("click", () => {
      byId("settings-dialog", HTMLDialogElement).showModal();
    });
    byId("unblock", HTMLButtonElement).addEventListener("click", () => void this.#sound.unblock());
    document.addEventListener("keydown", (event) => {
      if (this.#view.hidden || !event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.code === "KeyM") this.#toggle("microphone");
      else if (event.code === "KeyV") this.#toggle("camera");
      else return;
      event.preventDefault();
    });
  }

  /** @param {DeviceName} device */
  #toggle(device) {
    if (this.#room.local.mayPublish(device)) {
      void this.#devices.set(device, !this.#devices.active(device));
    }
  }

  async #toggleScreen() {
    try {
      if (this.#broadcast.sharing) await this.#broadcast.stopScreen();
      else await this.#broadcast.shareScreen();
    } catch (error) {
      const { code } = /** @type {{code?: string}} */ (error);
      if (code !== "cancelled") this.#complain(error);
    }
  }

  /**
   * @param {import("../client/room.js").ConnectionState} state
   * @param {string} reason
   */
  #stateChanged(state, reason) {
    if (this.#view.hidden) return;
    byId("connection-text", HTMLElement).textContent = explainReconnecting(reason);
    this.#connection.hidden = state !== "reconnecting";
    if (state === "connected") {
      toast("You are connected again");
      this.#broadcast.sync();
    }
  }

  /** @param {unknown} error */
  #complain(error) {
    if (this.#view.hidden) return;
    const { title, text } = explainError(error);
    toast(`${title}. ${text}`, { problem: true });
  }

  #render() {
    if (this.#view.hidden) return;
    this.#stage.render();
    this.#people.render();
    this.#alone.hidden = this.#room.participants.size > 0;
    this.#meter.measure(this.#devices.tracks.microphone);
    this.#sound.choose(this.#devices.speakerId);
    this.#renderDevice("microphone", "Alt+M");
    this.#renderDevice("camera", "Alt+V");
    this.#unseen.render();
    this.#recording.render();
    const note = byId("call-devices-note", HTMLElement);
    note.textContent = explainDevices(this.#devices.problems);
    note.hidden = !note.textContent;
    const { sharing } = this.#broadcast;
    const { screen } = this.#buttons;
    screen.hidden = !canShareScreen() || !this.#room.local.mayPublish("screen_share");
    screen.classList.toggle("active", sharing);
    setIcon(screen, sharing ? "screen-off" : "screen");
    label(screen, sharing ? "Stop sharing your screen" : "Share your screen");
  }

  /**
   * @param {DeviceName} device
   * @param {string} shortcut
   */
  #renderDevice(device, shortcut) {
    const button = this.#buttons[device];
    const active = this.#devices.active(device);
    button.disabled = !this.#room.local.mayPublish(device);
    button.classList.toggle("off", !active);
    button.classList.toggle("faulty", this.#devices.problems[device] !== "");
    setIcon(button, active ? device : `${device}-off`);
    label(button, `Turn ${device} ${active ? "off" : "on"} (${shortcut})`);
    if (button.disabled) label(button, explain("not_allowed").title);
  }
}

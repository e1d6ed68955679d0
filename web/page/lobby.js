/**
 * Before the call: how do I look, how do I sound, who am I and where do I go.
 * @module
 */

import { Emitter } from "../client/emitter.js";
import { DeviceMenu } from "./device_menu.js";
import { DEVICE_NAMES } from "./devices.js";
import { byId, label } from "./dom.js";
import { setIcon } from "./icons.js";
import { explainDevices, explainError } from "./words.js";

/** @typedef {import("./address.js").Invitation} Invitation */
/** @typedef {import("./devices.js").DeviceName} DeviceName */
/** @typedef {import("./devices.js").Devices} Devices */
/** @typedef {import("./meter.js").Meter} Meter */

const METER_INTERVAL = 80; // ms

/**
 * The lobby asks for a name and a room; "join" says them.
 * @extends {Emitter<{join: {name: string, room: string}}>}
 */
export class Lobby extends Emitter {
  #view = byId("lobby", HTMLElement);
  #form = byId("join-form", HTMLFormElement);
  #name = byId("name", HTMLInputElement);
  #room = byId("room", HTMLInputElement);
  #button = byId("join", HTMLButtonElement);
  #problem = byId("join-problem", HTMLElement);
  #fixedNote = byId("fixed-note", HTMLElement);
  #preview = byId("preview", HTMLVideoElement);
  #previewNote = byId("preview-note", HTMLElement);
  #meterBar = byId("meter", HTMLElement);
  /** @type {Record<DeviceName, HTMLButtonElement>} */
  #toggles = {
    camera: byId("preview-camera", HTMLButtonElement),
    microphone: byId("preview-microphone", HTMLButtonElement),
  };
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #devices;
  #meter;

  /**
   * @param {Devices} devices
   * @param {Meter} meter
   */
  constructor(devices, meter) {
    super();
    this.#devices = devices;
    this.#meter = meter;
    new DeviceMenu(byId("lobby-devices", HTMLElement), devices);
    devices.on("change", () => this.#render());
    for (const device of DEVICE_NAMES) {
      this.#toggles[device].addEventListener("click", () => {
        void devices.set(device, !devices.active(device));
      });
    }
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.emit("join", { name: this.#name.value.trim(), room: this.#room.value.trim() });
    });
  }

  /**
   * @param {Invitation} invitation
   * @param {{name: string, room: string}} remembered
   */
  show(invitation, remembered) {
    this.#name.value = invitation.name || this.#name.value || remembered.name;
    this.#name.readOnly = invitation.nameFixed;
    this.#room.value ||= invitation.room || remembered.room || randomRoom();
    this.#room.readOnly = invitation.roomFixed;
    this.#fixedNote.textContent = fixedNote(invitation);
    this.#fixedNote.hidden = !this.#fixedNote.textContent;
    this.#view.hidden = false;
    this.busy(false);
    this.#render();
    this.#timer = setInterval(() => {
      this.#meterBar.style.setProperty("--level", this.#meter.level.toFixed(2));
    }, METER_INTERVAL);
    (this.#name.value ? this.#button : this.#name).focus();
    void this.#devices.start();
  }

  hide() {
    this.#view.hidden = true;
    clearInterval(this.#timer);
    this.#preview.srcObject = null;
  }

  /** Joins as if the person had clicked. */
  submit() {
    if (this.#form.checkValidity()) this.#form.requestSubmit();
  }

  /** @param {boolean} busy a join is under way */
  busy(busy) {
    this.#button.disabled = busy;
    this.#button.textContent = busy ? "Joining…" : "Join";
    if (busy) this.#problem.hidden = true;
  }

  /** @param {unknown} error why the join failed */
  fail(error) {
    const { title, text } = explainError(error);
    this.#problem.textContent = `${title}. ${text}`;
    this.#problem.hidden = false;
    this.busy(false);
  }

  #render() {
    if (this.#view.hidden) return;
    const { camera, microphone } = this.#devices.tracks;
    this.#meter.measure(microphone);
    const shown = this.#preview.srcObject instanceof MediaStream && this.#preview.srcObject;
    if (!camera) this.#preview.srcObject = null;
    else if (!shown || !shown.getTracks().includes(camera)) {
      this.#preview.srcObject = new MediaStream([camera]);
    }
    this.#preview.hidden = !camera;
    for (const device of DEVICE_NAMES) this.#renderToggle(device);
    const { problems } = this.#devices;
    const off = camera ? "" : "Your camera is off";
    this.#previewNote.textContent = explainDevices(problems) || off;
  }

  /** @param {DeviceName} device */
  #renderToggle(device) {
    const toggle = this.#toggles[device];
    const active = this.#devices.active(device);
    toggle.classList.toggle("off", !active);
    toggle.classList.toggle("faulty", this.#devices.problems[device] !== "");
    setIcon(toggle, active ? device : `${device}-off`);
    label(toggle, `Turn ${device} ${active ? "off" : "on"}`);
  }
}

/**
 * Says why a field cannot be changed.
 * @param {Invitation} invitation
 */
function fixedNote({ nameFixed, roomFixed }) {
  if (nameFixed) return `Your invitation sets your name${roomFixed ? " and the room" : ""}.`;
  return roomFixed ? "Your invitation sets the room." : "";
}

const FIRST = "amber bright calm clear green kind quick quiet silver warm".split(" ");
const SECOND = "birch cloud field harbor lake maple meadow moon river tide".split(" ");

/** A name for a room of one's own, easy to say on the phone. */
function randomRoom() {
  const [a = 0, b = 0, c = 0] = crypto.getRandomValues(new Uint16Array(3));
  return `${FIRST[a % FIRST.length]}-${SECOND[b % SECOND.length]}-${100 + (c % 900)}`;
}

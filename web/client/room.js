/**
 * The browser client of aiosfu: everything that a page needs, and no user interface.
 *
 *     import { Room } from "./room.js";
 *     const room = new Room();
 *     room.on("tracksubscribed", ({ mediaStreamTrack }) => show(mediaStreamTrack));
 *     await room.connect("wss://example.org/ws", { token });
 *     await room.publish(cameraTrack, { source: "camera" });
 * @module
 */

import { Connection } from "./connection.js";
import { DataSender, decodeBase64 } from "./data.js";
import { Emitter } from "./emitter.js";
import { ConnectionError, isConnectionLoss, RequestError, SfuError } from "./errors.js";
import { LocalTracks } from "./local_tracks.js";
import { LocalParticipant } from "./participant.js";
import { PROTOCOL_VERSION } from "./protocol.js";
import { Publisher } from "./publisher.js";
import { Recordings } from "./recordings.js";
import { Roster } from "./roster.js";
import { Showing } from "./showing.js";
import { Subscriber } from "./subscriber.js";
import { Subscriptions } from "./subscriptions.js";
import { TrackSettingsSender } from "./track_settings.js";

/** @typedef {import("./connection.js").ConnectionState} ConnectionState */
/** @typedef {import("./data.js").DataOptions} DataOptions */
/** @typedef {import("./events.js").ConnectOptions} ConnectOptions */
/** @typedef {import("./events.js").RoomEvents} RoomEvents */
/** @typedef {import("./events.js").Speaker} Speaker */
/** @typedef {import("./participant.js").LocalTrack} LocalTrack */
/** @typedef {import("./participant.js").Participant} Participant */
/** @typedef {import("./participant.js").PublishOptions} PublishOptions */
/** @typedef {import("./participant.js").RemoteTrack} RemoteTrack */
/** @typedef {import("./protocol.js").DataMessage} DataMessage */
/** @typedef {import("./protocol.js").Joined} Joined */
/** @typedef {import("./protocol.js").Quality} Quality */
/** @typedef {import("./protocol.js").RecordingInfo} RecordingInfo */
/** @typedef {import("./protocol.js").RecordingRequest} RecordingRequest */
/** @typedef {import("./protocol.js").Request} Request */
/** @typedef {import("./protocol.js").RoomInfo} RoomInfo */
/** @typedef {import("./protocol.js").RoomRecording} RoomRecording */
/** @typedef {import("./protocol.js").ServerEvent} ServerEvent */
/** @typedef {import("./protocol.js").Target} Target */
/** @typedef {import("./protocol.js").TrackSettings} TrackSettings */

const RECONNECT_TIMEOUT = 120_000; // ms; a server that is deployed anew is back by then

/**
 * A room, as one participant sees it. Reconnects by itself: resumes where that works, else joins
 * anew and publishes the same tracks again.
 * @extends {Emitter<RoomEvents>}
 */
export class Room extends Emitter {
  /** This client. */
  local = new LocalParticipant();
  /** @type {RoomInfo | null} */
  info = null;
  /** Who speaks now, the dominant one first. @type {readonly Speaker[]} */
  speakers = [];
  /** Whether media reports are wanted. */
  #watching = false;
  /** @type {ConnectOptions} */
  #options = {};
  /** @type {ConnectionState} */
  #state = "disconnected";
  /** @type {Connection | null} */
  #connection = null;
  /** @type {Publisher | null} */
  #publisher = null;
  /** @type {Subscriber | null} */
  #subscriber = null;
  /** Peer connections that never worked in this session. @type {Set<Target>} */
  #failed = new Set();
  #request = async (/** @type {Request} */ message) => {
    if (!this.#connection) throw new ConnectionError("disconnected", "You are in no room.");
    return this.#connection.request(message);
  };
  #localTracks = new LocalTracks(
    this.local.tracks,
    () => this.#publisher,
    this.#request,
    (name, detail) => this.emit(name, /** @type {any} */ (detail)),
  );
  #roster = new Roster((name, detail) => {
    if (name === "trackunpublished" && "track" in detail) this.#subscriptions.detach(detail.track);
    this.emit(name, /** @type {any} */ (detail));
    if (name === "trackpublished") this.#attach(); // its media may have been faster
  });
  #recordings = new Recordings((detail) => this.emit("recordingchanged", detail));
  #settings = new TrackSettingsSender(this.#request);
  #showing = new Showing((track, exposure) => this.#settings.change(track, exposure));
  #subscriptions = new Subscriptions(this.#roster, this.#request, (name, detail) => {
    if (name === "tracksubscribed") this.#settings.update(detail.track);
    if (name === "trackunsubscribed") this.#settings.forget(detail.track);
    this.emit(name, /** @type {any} */ (detail));
  });
  #sender = new DataSender(this.#request, () => this.#publisher?.channels ?? null);

  get state() {
    return this.#state;
  }

  get name() {
    return this.info?.name ?? "";
  }

  /** The others, by sid. @returns {ReadonlyMap<string, Participant>} */
  get participants() {
    return this.#roster.participants;
  }

  /** Recordings of the room that go on, by id. @returns {ReadonlyMap<string, RoomRecording>} */
  get recordings() {
    return this.#recordings.running;
  }

  /**
   * Joins a room.
   * @param {string | URL} url of the server's WebSocket
   * @param {ConnectOptions} [options]
   * @returns {Promise<void>} settled when joined
   * @throws {SfuError} the server cannot be reached or refuses
   */
  async connect(url, options = {}) {
    if (this.#state !== "disconnected") {
      throw new SfuError("already_joined", "Leave the room before you join another.");
    }
    const { token = "", reconnectTimeout = RECONNECT_TIMEOUT } = options;
    this.#options = { ...options };
    this.local.info = null;
    this.#connection = new Connection(
      {
        url,
        token: async () => (typeof token === "function" ? token() : token),
        join: () => this.#join(),
        reconnectTimeout,
      },
      {
        joined: (snapshot) => this.#joined(snapshot),
        received: (message) => this.#received(message),
        lost: (reason) => this.#lost(reason),
        ended: (reason, message) => this.#ended(reason, message),
        refused: (error) => this.emit("error", error),
      },
    );
    this.#setState("connecting");
    await this.#connection.start();
  }

  /** Leaves. Local tracks are unpublished and not stopped: they are yours. */
  leave() {
    this.#connection?.leave();
  }

  /**
   * Publishes a track, and again after every full rejoin.
   * @param {MediaStreamTrack} mediaStreamTrack
   * @param {PublishOptions} [options]
   * @returns {Promise<LocalTrack>}
   * @throws {SfuError}
   */
  async publish(mediaStreamTrack, options = {}) {
    const track = this.#localTracks.add(mediaStreamTrack, options);
    try {
      await this.#untilConnected(() => this.#localTracks.publish(track));
    } catch (error) {
      this.local.tracks.delete(track);
      throw error;
    }
    if (this.local.tracks.has(track)) this.emit("localtrackpublished", { track });
    return track;
  }

  /**
   * Ends the publishing of a track.
   * @param {LocalTrack} track
   */
  async unpublish(track) {
    await this.#localTracks.remove(track).catch(unlessLost);
  }

  /**
   * Mutes or unmutes a local track, for everybody; the device stays open.
   * @param {LocalTrack} track
   * @param {boolean} muted
   */
  async mute(track, muted) {
    await this.#localTracks.mute(track, muted).catch(unlessLost);
  }

  /**
   * Sends other media for a local track, from another camera for example.
   * @param {LocalTrack} track
   * @param {MediaStreamTrack | null} mediaStreamTrack of the same kind; null sends nothing
   */
  async replaceTrack(track, mediaStreamTrack) {
    await this.#localTracks.replace(track, mediaStreamTrack);
  }

  /**
   * Receives tracks.
   * @param {RemoteTrack[]} tracks
   */
  async subscribe(tracks) {
    await this.#subscriptions.want(tracks, true).catch(unlessLost);
  }

  /**
   * Receives tracks no more.
   * @param {RemoteTrack[]} tracks
   */
  async unsubscribe(tracks) {
    await this.#subscriptions.want(tracks, false).catch(unlessLost);
  }

  /**
   * Has the server send no more of a video than is seen of it: nothing while the element is hidden,
   * the layer that suits its size while it is shown. An element shows one track at a time.
   * @param {RemoteTrack} track
   * @param {Element} element the video element, or one of the same size around it
   */
  observe(track, element) {
    this.#showing.observe(track, element);
  }

  /**
   * An element shows no track any more; a track that no other one shows is hidden.
   * @param {Element} element
   */
  unobserve(element) {
    this.#showing.unobserve(element);
  }

  /**
   * Says how to receive a track: its priority, frame rate or layer, or not for the time being.
   * What `observe` finds out need not be said.
   * @param {RemoteTrack} track
   * @param {Partial<TrackSettings>} settings
   */
  configure(track, settings) {
    this.#settings.change(track, settings);
  }

  /**
   * Asks for a `mediareport` every second: what is received, and why it is no more.
   * @param {boolean} enabled
   */
  watchMedia(enabled) {
    if (enabled === this.#watching) return;
    this.#watching = enabled;
    if (this.#state === "connected") this.#askForReports();
  }

  /**
   * Changes what others see of this client.
   * @param {{name?: string, metadata?: string, attributes?: Record<string, string>}} changes
   *   attributes are merged; an empty value deletes one
   */
  async updateSelf(changes) {
    await this.#request({ type: "update_self", ...changes });
    const attributes = { ...this.#options.attributes, ...changes.attributes };
    Object.assign(this.#options, changes, { attributes });
  }

  /**
   * Has the server record the room; `recordingchanged` tells what comes of it.
   * @param {RecordingRequest} [options] every track by itself when left out
   * @returns {Promise<string>} the recording's id
   * @throws {SfuError} the server refuses
   */
  async startRecording(options = {}) {
    const reply = await this.#request({ type: "start_recording", options });
    return reply["recording"].id;
  }

  /**
   * Ends a recording of the room.
   * @param {string} id
   */
  async stopRecording(id) {
    await this.#request({ type: "stop_recording", recording: id });
  }

  /**
   * The recordings of this room, the newest first, those of earlier days too; 100 at most.
   * @returns {Promise<RecordingInfo[]>}
   */
  async listRecordings() {
    return (await this.#request({ type: "list_recordings" }))["recordings"];
  }

  /**
   * Sends a message to others.
   * @param {string | ArrayBuffer | ArrayBufferView} payload text is sent as UTF-8
   * @param {DataOptions} [options]
   */
  async sendData(payload, options = {}) {
    // The channels take a moment to open; until then, and where they cannot, the WebSocket serves.
    this.#publisher?.open().catch(() => {});
    await this.#sender.send(payload, options);
  }

  /**
   * Statistics of both peer connections (W3C webrtc-stats).
   * @returns {Promise<{publisher: RTCStatsReport | null, subscriber: RTCStatsReport | null}>}
   */
  async getStats() {
    return {
      publisher: (await this.#publisher?.connection?.getStats()) ?? null,
      subscriber: (await this.#subscriber?.connection?.getStats()) ?? null,
    };
  }

  // -- the connection's news

  #join() {
    const { room, token, name, metadata, attributes, autoSubscribe = true } = this.#options;
    // Joining anew as the same one replaces what is left of us; a token says who we are by itself.
    const identity = this.#options.identity ?? (token ? undefined : this.local.info?.identity);
    const wishes = { room, identity, name, metadata, attributes };
    const given = Object.entries(wishes).filter(([, value]) => value !== undefined);
    return {
      type: "join",
      version: PROTOCOL_VERSION,
      auto_subscribe: autoSubscribe,
      ...Object.fromEntries(given),
    };
  }

  /** @param {Joined} snapshot */
  #joined(snapshot) {
    this.info = snapshot.room;
    this.local.info = snapshot.participant;
    if (!snapshot.resumed) this.#open(snapshot);
    this.#setState("connected");
    this.#settings.renew();
    if (this.#watching) this.#askForReports();
    this.#roster.replace(snapshot.participants);
    this.#recordings.replace(snapshot.recordings ?? []);
    if (snapshot.resumed) {
      this.#subscriber?.resume();
      this.#localTracks.reconcile(snapshot.participant.tracks);
      this.#inBackground(this.#publisher?.resume(snapshot.participant.tracks));
    } else {
      this.#inBackground(this.#subscriptions.renew());
    }
    for (const track of this.local.tracks) this.#inBackground(this.#localTracks.publish(track));
  }

  /**
   * A new session has new peer connections.
   * @param {Joined} snapshot
   */
  #open(snapshot) {
    this.#close();
    this.#failed.clear();
    const shared = {
      request: this.#request,
      configuration: {
        iceServers: snapshot.ice_servers,
        bundlePolicy: /** @type {const} */ ("max-bundle"),
        ...this.#options.rtcConfiguration,
      },
    };
    this.#publisher = new Publisher({
      ...shared,
      giveUp: (worked) => this.#mediaFailed("publisher", worked),
      receive: (message) => this.#receivedData(message),
    });
    this.#subscriber = new Subscriber({
      ...shared,
      giveUp: (worked) => this.#mediaFailed("subscriber", worked),
      changed: () => this.#attach(),
      failed: (error) => {
        this.#report(error);
        this.#connection?.rejoin();
      },
    });
  }

  #close() {
    this.#publisher?.close();
    this.#subscriber?.close();
    this.#publisher = this.#subscriber = null;
  }

  /** @param {string} reason */
  #lost(reason) {
    this.#publisher?.suspend();
    this.#subscriber?.suspend();
    this.#setState("reconnecting", reason);
  }

  /**
   * @param {string} reason
   * @param {string} message
   */
  #ended(reason, message) {
    this.#connection = null;
    this.#setState("disconnected", reason, message);
    this.#close();
    this.#setSpeakers([]);
    this.local.quality = null;
    this.#roster.replace([]);
    this.#recordings.replace([]);
    this.#localTracks.clear();
  }

  /**
   * A peer connection is beyond repair. One that worked is made anew; one that never did would
   * fail again on this network: we stay without it, until the network may be another one.
   * @param {Target} target
   * @param {boolean} worked
   */
  #mediaFailed(target, worked) {
    if (worked || this.#failed.has(target)) {
      this.#connection?.rejoin();
      return;
    }
    if (this.#failed.size === 0) {
      const message = "Audio and video cannot reach the server; a firewall may be in the way.";
      this.emit("error", new ConnectionError("media_failed", message));
    }
    this.#failed.add(target);
  }

  // -- the server's news

  /** @param {ServerEvent} message */
  #received(message) {
    const roster = this.#roster;
    switch (message.type) {
      case "participant_joined":
        return roster.join(message.participant);
      case "participant_left":
        return roster.leave(message.participant, message.reason);
      case "participant_updated":
        if (message.participant.sid !== this.local.sid) return roster.update(message.participant);
        this.local.info = message.participant;
        return this.emit("localparticipantupdated", { participant: this.local });
      case "track_published":
        return roster.publish(message.participant, message.track);
      case "track_unpublished":
        return roster.unpublish(message.participant, message.track);
      case "track_updated":
        if (message.participant === this.local.sid) return this.#localTracks.updated(message.track);
        return roster.publish(message.participant, message.track);
      case "subscriber_offer":
        return this.#subscriber?.accept(message);
      case "subscription_changed":
        return this.#subscriptions.changed(message);
      case "speakers_changed":
        return this.#setSpeakers(message.speakers);
      case "connection_quality":
        return this.#setQuality(message);
      case "layers_wanted":
        return this.#publisher?.setLayers(message.track, message.layers);
      case "media_report":
        return this.emit("mediareport", { status: message.status });
      case "data":
        return this.#receivedData(message);
      case "media_state":
        if (message.state === "connected") return undefined;
        return (message.target === "publisher" ? this.#publisher : this.#subscriber)?.giveUp();
      case "room_updated":
        this.info = message.room;
        return this.emit("roomupdated", { room: message.room });
      case "recording_changed":
        return this.#recordings.change(message.recording);
      default:
        return undefined; // a newer server may say more
    }
  }

  /** @param {{participant: string, level: number}[]} speakers */
  #setSpeakers(speakers) {
    if (!speakers.length && !this.speakers.length) return;
    this.speakers = speakers.flatMap(({ participant: sid, level }) => {
      const participant = this.#person(sid);
      return participant ? [{ participant, level }] : [];
    });
    this.emit("speakerschanged", { speakers: [...this.speakers] });
  }

  /** @param {{participant: string, quality: Quality, score: number}} news */
  #setQuality({ participant: sid, quality, score }) {
    const participant = this.#person(sid);
    if (!participant) return;
    participant.quality = quality;
    this.emit("connectionqualitychanged", { participant, quality, score });
  }

  /** @param {DataMessage} message */
  #receivedData({ participant, identity, topic, payload: encoded, reliable }) {
    const payload = decodeBase64(encoded);
    this.emit("data", {
      participant: this.participants.get(participant) ?? null,
      identity,
      topic,
      payload,
      text: new TextDecoder().decode(payload),
      reliable,
    });
  }

  // -- helpers

  /** @param {string} sid */
  #person(sid) {
    return sid === this.local.sid ? this.local : this.participants.get(sid);
  }

  #askForReports() {
    const request = this.#request({ type: "watch_media", enabled: this.#watching });
    request.catch(unlessUnknown).catch(unlessLost).catch((error) => this.#report(error));
  }

  #attach() {
    this.#subscriptions.attach(this.#subscriber?.media);
  }

  /**
   * Does something, again where it was cut short by the loss of the connection.
   * @param {() => Promise<void>} action
   */
  async #untilConnected(action) {
    for (;;) {
      await this.#whenConnected();
      try {
        return await action();
      } catch (error) {
        if (!isConnectionLoss(error)) throw error;
      }
    }
  }

  async #whenConnected() {
    while (this.#state !== "connected") {
      if (this.#state === "disconnected") {
        throw new ConnectionError("disconnected", "You are in no room.");
      }
      await new Promise((resolve) => {
        this.addEventListener("statechange", resolve, { once: true });
      });
    }
  }

  /**
   * Reports what fails where nobody waits for it; a lost connection speaks for itself.
   * @param {Promise<unknown> | undefined} promise
   */
  #inBackground(promise) {
    promise?.catch(unlessLost).catch((error) => this.#report(error));
  }

  /** @param {unknown} error */
  #report(error) {
    const known = error instanceof SfuError;
    this.emit("error", known ? error : new SfuError("internal_error", String(error)));
  }

  /**
   * @param {ConnectionState} state
   * @param {string} [reason]
   * @param {string} [message]
   */
  #setState(state, reason = "", message = "") {
    if (state === this.#state) return;
    this.#state = state;
    this.emit("statechange", { state, reason, message });
  }
}

/**
 * Passes over errors that say that the connection is gone: reconnecting makes up for them.
 * @param {unknown} error
 */
function unlessLost(error) {
  const gone = error instanceof ConnectionError && error.code === "disconnected";
  if (!gone && !isConnectionLoss(error)) throw error;
}

/**
 * Passes over the refusal of a message that an older server does not know.
 * @param {unknown} error
 */
function unlessUnknown(error) {
  if (!(error instanceof RequestError && error.code === "bad_request")) throw error;
}

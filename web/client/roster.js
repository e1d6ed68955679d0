/**
 * The others in the room, kept in step with what the server tells.
 * @module
 */

import { Participant, RemoteTrack } from "./participant.js";

/** @typedef {import("./protocol.js").OfferedTrack} OfferedTrack */
/** @typedef {import("./protocol.js").ParticipantInfo} ParticipantInfo */
/** @typedef {import("./protocol.js").ServerEvent} ServerEvent */
/** @typedef {import("./protocol.js").TrackInfo} TrackInfo */

/** Participants and their tracks; every change is told. */
export class Roster {
  /** By sid. @type {Map<string, Participant>} */
  participants = new Map();
  #tell;

  /** @param {import("./events.js").Tell<import("./events.js").RosterEvents>} tell */
  constructor(tell) {
    this.#tell = tell;
  }

  /**
   * @param {string} sid
   * @returns {RemoteTrack | undefined}
   */
  track(sid) {
    for (const participant of this.participants.values()) {
      const track = participant.tracks.get(sid);
      if (track) return track;
    }
    return undefined;
  }

  /**
   * Takes a full picture of the room: tells the differences to what was known.
   * @param {ParticipantInfo[]} infos
   */
  replace(infos) {
    const present = new Set(infos.map((info) => info.sid));
    for (const sid of [...this.participants.keys()]) {
      if (!present.has(sid)) this.leave(sid, "left");
    }
    for (const info of infos) this.join(info, true);
  }

  /**
   * @param {ParticipantInfo} info
   * @param {boolean} [existing]
   */
  join(info, existing = false) {
    const known = this.participants.get(info.sid);
    if (known) {
      this.update(info);
      this.#retain(known, info.tracks);
      return;
    }
    const participant = new Participant(info);
    this.participants.set(info.sid, participant);
    this.#tell("participantjoined", { participant, existing });
    for (const track of info.tracks) this.publish(info.sid, track, existing);
  }

  /**
   * @param {string} sid
   * @param {string} reason
   */
  leave(sid, reason) {
    const participant = this.participants.get(sid);
    if (!participant) return;
    for (const track of [...participant.tracks.keys()]) this.unpublish(sid, track);
    this.participants.delete(sid);
    this.#tell("participantleft", { participant, reason });
  }

  /** @param {ParticipantInfo} info */
  update(info) {
    const participant = this.participants.get(info.sid);
    if (!participant) return;
    const changed = JSON.stringify(described(participant.info)) !== JSON.stringify(described(info));
    participant.info = info;
    if (changed) this.#tell("participantupdated", { participant });
  }

  /**
   * A track is new, or known and described anew.
   * @param {string} sid of the participant
   * @param {TrackInfo} info
   * @param {boolean} [existing]
   */
  publish(sid, info, existing = false) {
    const participant = this.participants.get(sid);
    if (!participant) return;
    const known = participant.tracks.get(info.sid);
    if (known) {
      const changed = JSON.stringify(known.info) !== JSON.stringify(info);
      known.info = info;
      if (changed) this.#tell("trackupdated", { track: known, participant });
      return;
    }
    const track = new RemoteTrack(participant, info);
    participant.tracks.set(info.sid, track);
    this.#tell("trackpublished", { track, participant, existing });
  }

  /**
   * @param {string} sid of the participant
   * @param {string} trackSid
   */
  unpublish(sid, trackSid) {
    const participant = this.participants.get(sid);
    const track = participant?.tracks.get(trackSid);
    if (!participant || !track) return;
    participant.tracks.delete(trackSid);
    this.#tell("trackunpublished", { track, participant });
  }

  /**
   * Makes the tracks of a known participant exactly these.
   * @param {Participant} participant
   * @param {TrackInfo[]} infos
   */
  #retain(participant, infos) {
    const published = new Set(infos.map((info) => info.sid));
    for (const sid of [...participant.tracks.keys()]) {
      if (!published.has(sid)) this.unpublish(participant.sid, sid);
    }
    for (const info of infos) this.publish(participant.sid, info, true);
  }
}

/**
 * What of a participant is worth telling by itself; tracks have events of their own.
 * @param {ParticipantInfo} info
 */
function described({ name, metadata, attributes, permissions }) {
  return [name, metadata, Object.entries(attributes).sort(), permissions];
}

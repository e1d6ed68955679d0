/**
 * Options and events of a Room, as types only.
 * @module
 */

/** @typedef {import("./connection.js").ConnectionState} ConnectionState */
/** @typedef {import("./errors.js").SfuError} SfuError */
/** @typedef {import("./participant.js").LocalParticipant} LocalParticipant */
/** @typedef {import("./participant.js").LocalTrack} LocalTrack */
/** @typedef {import("./participant.js").Participant} Participant */
/** @typedef {import("./participant.js").RemoteTrack} RemoteTrack */
/** @typedef {import("./protocol.js").MediaInfo} MediaInfo */
/** @typedef {import("./protocol.js").Quality} Quality */
/** @typedef {import("./protocol.js").RoomInfo} RoomInfo */
/** @typedef {import("./protocol.js").RoomRecording} RoomRecording */

/**
 * @typedef {object} ConnectOptions
 * @property {string | (() => Promise<string>)} [token] a function is asked before every attempt
 * @property {string} [room] where the token does not say
 * @property {string} [identity]
 * @property {string} [name] shown to others
 * @property {string} [metadata]
 * @property {Record<string, string>} [attributes]
 * @property {boolean} [autoSubscribe] receive all that others publish; true when left out
 * @property {RTCConfiguration} [rtcConfiguration] added to what the server says
 * @property {number} [reconnectTimeout] ms without the server after which to give up; 2 minutes
 */

/**
 * @typedef {object} ReceivedData
 * @property {Participant | null} participant null: the server, or somebody hidden
 * @property {string} identity of the sender
 * @property {string} topic
 * @property {Uint8Array<ArrayBuffer>} payload
 * @property {string} text the payload as UTF-8
 * @property {boolean} reliable
 */

/**
 * What becomes known of others; `existing` is true for what was there before this client.
 * @typedef {object} RosterEvents
 * @property {{participant: Participant, existing: boolean}} participantjoined
 * @property {{participant: Participant, reason: string}} participantleft
 * @property {{participant: Participant}} participantupdated
 * @property {{track: RemoteTrack, participant: Participant, existing: boolean}} trackpublished
 * @property {{track: RemoteTrack, participant: Participant}} trackunpublished
 * @property {{track: RemoteTrack, participant: Participant}} trackupdated
 */

/**
 * What becomes of their media.
 * @typedef {object} SubscriptionEvents
 * @property {{track: RemoteTrack, participant: Participant, mediaStreamTrack: MediaStreamTrack}}
 *   tracksubscribed
 * @property {{track: RemoteTrack, participant: Participant, mediaStreamTrack: MediaStreamTrack}}
 *   trackunsubscribed
 * @property {{track: RemoteTrack, participant: Participant}} subscriptionchanged
 */

/**
 * What becomes of this client's own tracks. `byServer`: somebody else muted it. `localtrackended`:
 * the device is gone, or the person stopped sharing the screen by the browser's own button.
 * @typedef {object} LocalTrackEvents
 * @property {{track: LocalTrack}} localtrackpublished
 * @property {{track: LocalTrack}} localtrackunpublished
 * @property {{track: LocalTrack, byServer: boolean}} localtrackupdated
 * @property {{track: LocalTrack}} localtrackended
 */

/** @typedef {{participant: Participant | LocalParticipant, level: number}} Speaker level: 0 to 1 */

/**
 * How well it goes. The dominant speaker comes first; nobody speaks when there are none. `score` is
 * a mean opinion score, 1 to 4.5. A `mediareport` comes once a second while it is asked for.
 * @typedef {object} QualityEvents
 * @property {{speakers: Speaker[]}} speakerschanged
 * @property {{participant: Participant | LocalParticipant, quality: Quality, score: number}}
 *   connectionqualitychanged
 * @property {{status: MediaInfo}} mediareport
 */

/**
 * In `statechange`, `reason` is set when the state is "disconnected": a reason of the protocol's
 * `disconnected` message, or the code of an error. When it is "reconnecting", `reason` is what the
 * server said before, "server_shutdown" for example; empty when it said nothing.
 * @typedef {object} OwnEvents
 * @property {{state: ConnectionState, reason: string, message: string}} statechange
 * @property {{participant: LocalParticipant}} localparticipantupdated
 * @property {{room: RoomInfo}} roomupdated
 * @property {{recording: RoomRecording, existing: boolean}} recordingchanged existing: it was there
 *   before this client
 * @property {ReceivedData} data
 * @property {SfuError} error what fails where nobody waits for it
 */

/**
 * @typedef {(
 *   & RosterEvents & SubscriptionEvents & LocalTrackEvents & QualityEvents & OwnEvents
 * )} RoomEvents
 */

/**
 * @template Events
 * @typedef {<Name extends keyof Events>(name: Name, detail: Events[Name]) => void} Tell
 */

export {};

/**
 * The messages of the signaling protocol, as types only: see PROTOCOL.md for what they mean.
 * @module
 */

/** @typedef {"audio" | "video"} Kind */

/** @typedef {"camera" | "microphone" | "screen_share" | "screen_share_audio" | "unknown"} Source */

/**
 * @typedef {object} Permissions
 * @property {boolean} can_publish
 * @property {boolean} can_subscribe
 * @property {boolean} can_publish_data
 * @property {Source[] | null} can_publish_sources null: any source
 * @property {boolean} can_update_own_metadata
 * @property {boolean} hidden
 * @property {boolean} recorder
 * @property {boolean} [can_record] an older server does not say
 */

/**
 * @typedef {object} TrackInfo
 * @property {string} sid
 * @property {Kind} kind
 * @property {Source} source
 * @property {string} name
 * @property {boolean} muted
 * @property {number} width pixels, 0 when unknown
 * @property {number} height pixels, 0 when unknown
 * @property {string} mime_type empty until media flows
 */

/**
 * @typedef {object} ParticipantInfo
 * @property {string} sid
 * @property {string} identity unique in the room
 * @property {string} name
 * @property {string} metadata
 * @property {Record<string, string>} attributes
 * @property {Permissions} permissions
 * @property {number} joined_at Unix time in seconds
 * @property {TrackInfo[]} tracks
 */

/**
 * @typedef {object} RoomInfo
 * @property {string} sid
 * @property {string} name
 * @property {string} metadata
 * @property {number} created_at Unix time in seconds
 * @property {number} num_participants
 */

/** @typedef {"starting" | "active" | "finishing" | "complete" | "failed"} RecordingState */

/**
 * What everybody may know of a recording of the room.
 * @typedef {object} RoomRecording
 * @property {string} id
 * @property {"tracks" | "composite"} mode
 * @property {RecordingState} state
 * @property {string} started_by identity, empty for the server itself
 * @property {number} started_at Unix time in seconds
 * @property {string} error
 */

/** @typedef {"grid" | "speaker" | "screen" | "audio"} Layout */

/**
 * A recording, for those who may record the room.
 * @typedef {RoomRecording & {
 *   room: string,
 *   layout: Layout | null,
 *   hls?: boolean,
 *   ended_at: number | null,
 *   duration: number,
 *   bytes: number,
 *   recovered: boolean,
 *   warning: string,
 * }} RecordingInfo layout: of a composite; hls: it can be watched live; duration: seconds
 */

/** @typedef {{name: string, bytes: number, sha256: string, duration: number}} RecordedFile */

/**
 * What to record and how; see PROTOCOL.md for all of it.
 * @typedef {{mode?: "tracks" | "composite", layout?: Layout, hls?: boolean}
 *   & Record<string, unknown>} RecordingRequest
 */

/**
 * @typedef {object} Joined
 * @property {"joined"} type
 * @property {ParticipantInfo} participant this client
 * @property {RoomInfo} room
 * @property {ParticipantInfo[]} participants the others
 * @property {RoomRecording[]} [recordings] that go on; an older server does not say
 * @property {RTCIceServer[]} ice_servers
 * @property {number} grace_period seconds for which a lost session can be resumed
 * @property {string} resume_secret
 * @property {boolean} [resumed]
 * @property {{version: string}} server
 */

/** @typedef {{participant: string, track: string}} OfferedTrack sids of both */

/**
 * @typedef {object} SubscriberOffer
 * @property {"subscriber_offer"} type
 * @property {number} offer
 * @property {string} sdp
 * @property {Record<string, OfferedTrack>} tracks by mid
 */

/** @typedef {"active" | "paused" | "failed"} SubscriptionState */

/**
 * @typedef {"" | "muted" | "codec_unsupported" | "unsubscribed" | "limit_reached" | "bandwidth"
 *   | "hidden" | "paused" | "last_n" | "not_live"} SubscriptionReason
 */

/**
 * @typedef {object} SubscriptionChanged
 * @property {"subscription_changed"} type
 * @property {string} track
 * @property {SubscriptionState} state
 * @property {SubscriptionReason} reason
 * @property {string} detail the same for people
 */

/** @typedef {"excellent" | "good" | "poor" | "lost"} Quality */

/**
 * A simulcast layer before it flows.
 * @typedef {object} AnnouncedLayer
 * @property {string} rid
 * @property {number} width pixels, 0 when unknown
 * @property {number} height pixels, 0 when unknown
 * @property {number} bitrate bit/s at most, 0 when unknown
 */

/**
 * @typedef {object} LayerInfo
 * @property {number} spatial
 * @property {number} temporal
 * @property {string} rid
 * @property {number} width
 * @property {number} height
 * @property {number} bitrate bit/s
 * @property {number} fps 0 when unknown
 */

/**
 * @typedef {object} TrackSettings
 * @property {boolean} visible
 * @property {number} width device pixels, 0 when unknown
 * @property {number} height device pixels, 0 when unknown
 * @property {number} fps 0 for all
 * @property {number} priority 0 for that of the source
 * @property {number | null} layer
 * @property {number | null} temporal
 * @property {boolean} paused
 */

/**
 * @typedef {object} WantedLayer
 * @property {string} rid empty where there is only one
 * @property {boolean} active
 * @property {number | null} [spatial] the highest one of use, null for all
 */

/**
 * @typedef {object} ChoiceInfo
 * @property {number} at Unix time in seconds
 * @property {LayerInfo | null} wanted
 * @property {LayerInfo | null} chosen
 * @property {string} cause
 * @property {string} reason
 * @property {number | null} estimate bit/s
 */

/**
 * @typedef {object} ReceivedTrackInfo
 * @property {string} track
 * @property {string} participant
 * @property {string} identity
 * @property {Kind} kind
 * @property {Source} source
 * @property {TrackSettings} settings
 * @property {LayerInfo[]} layers
 * @property {LayerInfo | null} wanted
 * @property {LayerInfo | null} chosen
 * @property {LayerInfo | null} current
 * @property {string} cause
 * @property {string} reason
 * @property {ChoiceInfo[]} history
 */

/**
 * @typedef {object} MediaInfo
 * @property {number | null} estimate bit/s
 * @property {"transport_cc" | "remb" | "loss" | "none"} mode
 * @property {number} round_trip seconds
 * @property {number} loss 0 to 1
 * @property {number} queue_delay seconds
 * @property {number} sending bit/s
 * @property {number} wanted bit/s
 * @property {Quality} quality
 * @property {ReceivedTrackInfo[]} tracks
 * @property {{at: number, estimate: number | null}[]} estimates of the last minute
 */

/**
 * @typedef {object} MediaState
 * @property {"media_state"} type
 * @property {Target} target
 * @property {"connected" | "failed" | "closed"} state
 * @property {string} reason
 */

/**
 * @typedef {object} DataMessage
 * @property {"data"} type
 * @property {string} participant sid of the sender, empty for the server
 * @property {string} identity
 * @property {string} topic
 * @property {string} payload base64
 * @property {boolean} reliable
 */

/**
 * @typedef {object} SendData
 * @property {"send_data"} type
 * @property {string} topic
 * @property {string} payload base64
 * @property {string[]} destinations identities, none for everybody
 * @property {boolean} reliable
 */

/**
 * What the server says without being asked.
 * @typedef {(
 *   | {type: "participant_joined", participant: ParticipantInfo}
 *   | {type: "participant_updated", participant: ParticipantInfo}
 *   | {type: "participant_left", participant: string, identity: string, reason: string}
 *   | {type: "track_published", participant: string, track: TrackInfo}
 *   | {type: "track_unpublished", participant: string, track: string}
 *   | {type: "track_updated", participant: string, track: TrackInfo}
 *   | SubscriberOffer
 *   | SubscriptionChanged
 *   | {type: "speakers_changed", speakers: {participant: string, level: number}[]}
 *   | {type: "connection_quality", participant: string, quality: Quality, score: number}
 *   | {type: "layers_wanted", track: string, layers: WantedLayer[]}
 *   | {type: "media_report", status: MediaInfo}
 *   | DataMessage
 *   | MediaState
 *   | {type: "room_updated", room: RoomInfo}
 *   | {type: "recording_changed", recording: RoomRecording}
 *   | {type: "disconnected", reason: string, message: string}
 * )} ServerEvent
 */

/** @typedef {"publisher" | "subscriber"} Target */

/**
 * A request, without the id that the socket gives it.
 * @typedef {{type: string} & Record<string, unknown>} Request
 */

/** @typedef {{type: string, id: number} & Record<string, any>} Reply */

/** @typedef {(request: Request) => Promise<Reply>} SendRequest */

/** Version of the protocol that this library speaks. */
export const PROTOCOL_VERSION = 1;

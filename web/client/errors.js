/**
 * Every error that the library throws or reports: an `SfuError` with a stable `code`.
 *
 *     SfuError
 *      ├─ RequestError      the server refused a request; `code` is the name in PROTOCOL.md
 *      ├─ ConnectionError   the server cannot be reached, or was lost, or does not answer
 *      └─ DeviceError       no camera, microphone or screen could be had
 * @module
 */

/**
 * Names that the server sends.
 * @typedef {(
 *   | "bad_request" | "malformed" | "unauthorized" | "not_allowed" | "room_not_found" | "room_full"
 *   | "server_full" | "participant_not_found" | "track_not_found" | "too_many_tracks" | "too_large"
 *   | "rate_limited" | "negotiation_failed" | "codec_unsupported" | "already_joined" | "not_joined"
 *   | "recording_not_found" | "resume_failed" | "limit_reached" | "conflict" | "server_shutdown" | "internal_error"
 * )} RequestErrorCode
 */

/**
 * - `connection_failed`: the socket could not be opened.
 * - `connection_lost`: it closed before the answer came; the request may or may not have worked.
 * - `timeout`: the server did not answer.
 * - `disconnected`: the room was left, or never joined.
 * - `media_failed`: signaling works, media does not arrive (a firewall, mostly).
 * @typedef {"connection_failed" | "connection_lost" | "timeout" | "disconnected" | "media_failed"}
 *   ConnectionErrorCode
 */

/**
 * - `insecure_context`: browsers give no devices to pages over plain http, localhost excepted.
 * - `cancelled`: the person closed the screen picker.
 * @typedef {(
 *   | "permission_denied" | "device_not_found" | "device_busy" | "insecure_context" | "unsupported"
 *   | "cancelled"
 * )} DeviceErrorCode
 */

/** Base of all errors of the library. */
export class SfuError extends Error {
  /**
   * @param {string} code stable, for programs
   * @param {string} message for people
   * @param {ErrorOptions} [options]
   */
  constructor(code, message, options) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The server refused a request. */
export class RequestError extends SfuError {}

/** The server cannot be reached, was lost, or does not answer. */
export class ConnectionError extends SfuError {
  /**
   * @param {ConnectionErrorCode} code
   * @param {string} message
   * @param {ErrorOptions} [options]
   */
  constructor(code, message, options) {
    super(code, message, options);
  }
}

/** No camera, microphone or screen could be had. */
export class DeviceError extends SfuError {
  /**
   * @param {DeviceErrorCode} code
   * @param {string} message
   * @param {ErrorOptions} [options]
   */
  constructor(code, message, options) {
    super(code, message, options);
  }
}

/**
 * Whether an error says that the connection went away before the answer came.
 * @param {unknown} error
 */
export function isConnectionLoss(error) {
  return error instanceof ConnectionError && error.code === "connection_lost";
}

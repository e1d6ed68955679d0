/**
 * In how many sizes a track is encoded, and which of them at the moment.
 * @module
 */

/** @typedef {import("./participant.js").LocalTrack} LocalTrack */
/** @typedef {import("./protocol.js").AnnouncedLayer} AnnouncedLayer */

/** What a browser takes; not all know scalability (W3C webrtc-svc). */
/** @typedef {RTCRtpEncodingParameters & {scalabilityMode?: string}} Encoding */

/** Simulcast of a camera, the smallest first as browsers expect it. */
const LAYERS = [
  { rid: "q", maxBitrate: 150_000 }, // bit/s; 320x180, a face in a grid of many
  { rid: "h", maxBitrate: 500_000 }, // bit/s; 640x360
  { rid: "f", maxBitrate: 1_700_000 }, // bit/s; 1280x720
];

/** Longest side from which on so many sizes, each half of the next, are of use to anybody. */
const LEAST_FOR_THREE = 960; // px; the smallest is 240 then
const LEAST_FOR_TWO = 480; // px

const SCREEN_BITRATE = 2_500_000; // bit/s; sharp text that scrolls

/**
 * A screen for those on thin paths, who get nothing else. Not in its own size with few frames:
 * Chromium limits all encodings of one size to the frame rate of the slowest. Few frames of the
 * full size are in the lowest temporal layer, and come before this one (useful_layers).
 */
const SMALL_SCREEN = { rid: "l", maxBitrate: 300_000, scaleResolutionDownBy: 2 };

const SCALABLE = new Set(["VP9", "AV1"]);

/**
 * The encodings for `addTransceiver`.
 * @param {Pick<LocalTrack, "kind" | "source" | "options">} track
 * @param {{width?: number, height?: number}} size of the media
 * @returns {Encoding[]}
 */
export function chooseEncodings({ kind, source, options }, size) {
  const screen = source === "screen_share";
  const { preferredCodec, maxBitrate, maxFramerate, simulcast = source === "camera" || screen } =
    options;
  /** @param {number} [bitrate] @returns {Encoding} */
  const limits = (bitrate = maxBitrate) => ({
    ...(bitrate && { maxBitrate: bitrate }),
    ...(maxFramerate && { maxFramerate }),
  });
  if (kind === "audio") return [limits()];
  // Three temporal layers cost little, and half or a quarter of the frames can be had of them.
  const single = { ...limits(maxBitrate ?? usualBitrate(source, size)), scalabilityMode: "L1T3" };
  const scalable = Boolean(preferredCodec && SCALABLE.has(preferredCodec));
  if (screen) {
    const usual = maxBitrate ?? SCREEN_BITRATE;
    if (!simulcast || scalable || usual <= SMALL_SCREEN.maxBitrate) return [single];
    return [
      { ...single, ...SMALL_SCREEN },
      { ...single, rid: "h", scaleResolutionDownBy: 1 },
    ];
  }
  const count = simulcast ? layerCount(size) : 1;
  if (count === 1) return [single];
  if (scalable) {
    return [{ ...single, scalabilityMode: `L${count}T3_KEY` }];
  }
  return LAYERS.slice(0, count).map(({ rid, maxBitrate: usual }, index) => ({
    ...limits(index === count - 1 ? (maxBitrate ?? usual) : Math.min(usual, maxBitrate ?? usual)),
    rid,
    scaleResolutionDownBy: 2 ** (count - 1 - index),
    scalabilityMode: "L1T3",
  }));
}

/**
 * What to tell the server of encodings beforehand; nothing where there is but one.
 * @param {Encoding[]} encodings
 * @param {{width?: number, height?: number}} size
 * @returns {AnnouncedLayer[]}
 */
export function announceLayers(encodings, { width = 0, height = 0 }) {
  if (encodings.length < 2) return [];
  return encodings.map(({ rid = "", scaleResolutionDownBy = 1, maxBitrate = 0 }) => ({
    rid,
    width: Math.floor(width / scaleResolutionDownBy),
    height: Math.floor(height / scaleResolutionDownBy),
    bitrate: maxBitrate,
  }));
}

/**
 * Adds a track to a connection; without scalability where the browser has no codec for it.
 * @param {RTCPeerConnection} connection
 * @param {MediaStreamTrack | string} media
 * @param {Encoding[]} sendEncodings
 */
export function addSender(connection, media, sendEncodings) {
  const direction = /** @type {const} */ ("sendonly");
  try {
    return connection.addTransceiver(media, { direction, sendEncodings });
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    const plain = sendEncodings.map(({ scalabilityMode: _, ...encoding }) => encoding);
    return connection.addTransceiver(media, { direction, sendEncodings: plain });
  }
}

/** Has a sender encode what is wanted and nothing else. */
export class LayerSwitch {
  /** By rid; the only one of a track has the rid "". @type {Map<string, boolean>} */
  #wanted = new Map();
  #applying = false;
  #sender;

  /** @param {Pick<RTCRtpSender, "getParameters" | "setParameters">} sender */
  constructor(sender) {
    this.#sender = sender;
  }

  /** @param {{rid: string, active: boolean}[]} layers those that are not named stay as they are */
  set(layers) {
    for (const { rid, active } of layers) this.#wanted.set(rid, active);
    if (!this.#applying) void this.#apply();
  }

  /** Encodes everything: nobody knows what is wanted. */
  reset() {
    this.set([...this.#wanted.keys()].map((rid) => ({ rid, active: true })));
  }

  async #apply() {
    // Parameters can only be set one time after the other (webrtc 5.2, transactionId).
    this.#applying = true;
    try {
      for (;;) {
        const parameters = this.#sender.getParameters();
        let changed = false;
        for (const encoding of parameters.encodings) {
          const active = this.#wanted.get(encoding.rid ?? "");
          if (active === undefined || active === encoding.active) continue;
          encoding.active = active;
          changed = true;
        }
        if (!changed) return;
        await this.#sender.setParameters(parameters);
      }
    } catch {
      // The track has just been stopped: nothing of it is encoded any more.
    } finally {
      this.#applying = false;
    }
  }
}

/** @param {{width?: number, height?: number}} size */
function layerCount({ width = 0, height = 0 }) {
  const side = Math.max(width, height) || LEAST_FOR_THREE; // most cameras, where it is unknown
  if (side >= LEAST_FOR_THREE) return 3;
  return side >= LEAST_FOR_TWO ? 2 : 1;
}

/**
 * What a single encoding takes; nothing is known of sources that are not.
 * @param {string} source
 * @param {{width?: number, height?: number}} size
 */
function usualBitrate(source, size) {
  if (source === "screen_share") return SCREEN_BITRATE;
  return source === "camera" ? LAYERS[layerCount(size) - 1]?.maxBitrate : undefined;
}

/**
 * In how many sizes a track is encoded, and which of them at the moment.
 * @module
 */

/** @typedef {import("./participant.js").LocalTrack} LocalTrack */
/** @typedef {import("./protocol.js").AnnouncedLayer} AnnouncedLayer */
/** @typedef {import("./protocol.js").WantedLayer} WantedLayer */
/** @typedef {{made: Encoding, spatial: number | null}} Limited */

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

/** What a picture takes of the bits of one with twice its width, as of `LAYERS`. */
const SMALLER = 1 / 3;

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

/**
 * A stream with fewer spatial layers, the largest left out; those that remain keep their size.
 * @param {Encoding} encoding as it was made
 * @param {number | null} spatial the highest that is wanted, null for all
 * @returns {Encoding}
 */
export function limitLayers(encoding, spatial) {
  const { scalabilityMode = "", scaleResolutionDownBy = 1, maxBitrate } = encoding;
  const [, layers, temporal, key = ""] = /^L(\d)(T\d)(_KEY)?$/.exec(scalabilityMode) ?? [];
  const fewer = Number(layers) - 1 - (spatial ?? Infinity);
  if (!(fewer > 0)) return encoding;
  const left = Number(layers) - fewer;
  return {
    ...encoding,
    scalabilityMode: `L${left}${temporal}${left > 1 ? key : ""}`,
    scaleResolutionDownBy: scaleResolutionDownBy * 2 ** fewer,
    // Else a small picture would take what the large one did.
    ...(maxBitrate && { maxBitrate: Math.round(maxBitrate * SMALLER ** fewer) }),
  };
}

/** Has a sender encode what is wanted and nothing else. */
export class LayerSwitch {
  /** By rid; the only one of a track has the rid "". @type {Map<string, WantedLayer>} */
  #wanted = new Map();
  /** How encodings were made, and what they are limited to. @type {Map<string, Limited>} */
  #limited = new Map();
  #applying = false;
  #sender;

  /** @param {Pick<RTCRtpSender, "getParameters" | "setParameters">} sender */
  constructor(sender) {
    this.#sender = sender;
  }

  /** @param {WantedLayer[]} layers those that are not named stay as they are */
  set(layers) {
    for (const layer of layers) this.#wanted.set(layer.rid, layer);
    if (!this.#applying) void this.#apply();
  }

  /** Encodes everything: nobody knows what is wanted. */
  reset() {
    this.set([...this.#wanted.keys()].map((rid) => ({ rid, active: true, spatial: null })));
  }

  async #apply() {
    // Parameters can only be set one time after the other (webrtc 5.2, transactionId).
    this.#applying = true;
    try {
      for (;;) {
        const parameters = this.#sender.getParameters();
        let changed = false;
        for (const encoding of parameters.encodings) {
          const wanted = this.#wanted.get(encoding.rid ?? "");
          if (wanted && this.#change(encoding, wanted)) changed = true;
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

  /**
   * Makes an encoding what is wanted of it; returns whether it was anything else.
   * @param {Encoding} encoding
   * @param {WantedLayer} wanted
   */
  #change(encoding, { rid, active, spatial = null }) {
    let changed = encoding.active !== active;
    encoding.active = active;
    const limited = this.#limited.get(rid) ?? {
      made: { scaleResolutionDownBy: 1, ...encoding },
      spatial: null,
    };
    this.#limited.set(rid, limited);
    if (active && spatial !== limited.spatial) {
      limited.spatial = spatial;
      Object.assign(encoding, limitLayers(limited.made, spatial), { active });
      changed = true;
    }
    return changed;
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

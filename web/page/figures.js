/**
 * The browser's statistics (W3C webrtc-stats) as figures for people; nothing here touches the page.
 * @module
 */

/** @typedef {import("../client/protocol.js").LayerInfo} LayerInfo */
/** @typedef {import("../client/protocol.js").ReceivedTrackInfo} ReceivedTrackInfo */

/**
 * One stream of RTP over the last interval.
 * @typedef {object} Figures
 * @property {string} id of the statistics object
 * @property {string} track id of the MediaStreamTrack that is received; empty for what is sent
 * @property {string} mid
 * @property {string} rid
 * @property {string} kind
 * @property {number} width pixels, 0 when unknown
 * @property {number} height pixels, 0 when unknown
 * @property {number} fps
 * @property {number} bitrate bit/s, without what is sent again
 * @property {string} codec such as "VP8"
 * @property {string} limit what keeps an encoder back: "cpu", "bandwidth", or ""
 */

/** @typedef {Map<string, {bytes: number, timestamp: number}>} Counters */

/** Makes rates of what the browser counts. */
export class Rates {
  /** @type {Counters} */
  #counters = new Map();

  /**
   * @param {RTCStatsReport | ReadonlyMap<string, any> | null} report
   * @param {"inbound-rtp" | "outbound-rtp"} type
   * @returns {Figures[]} in the order of the report
   */
  read(report, type) {
    /** @type {Figures[]} */
    const figures = [];
    /** @type {Counters} */
    const counters = new Map();
    for (const one of report?.values() ?? []) {
      if (one.type !== type) continue;
      // Probes of bandwidth repeat packets, so what is sent again tells nothing of the media.
      const again = one.retransmittedBytesReceived ?? one.retransmittedBytesSent ?? 0;
      const bytes = (one.bytesReceived ?? one.bytesSent ?? 0) - again;
      const before = this.#counters.get(one.id);
      const elapsed = before ? one.timestamp - before.timestamp : 0; // ms
      counters.set(one.id, { bytes, timestamp: one.timestamp });
      figures.push({
        id: one.id,
        track: one.trackIdentifier ?? "",
        mid: one.mid ?? "",
        rid: one.rid ?? "",
        kind: one.kind,
        width: one.frameWidth ?? 0,
        height: one.frameHeight ?? 0,
        fps: Math.round(one.framesPerSecond ?? 0),
        bitrate: before && elapsed > 0 ? ((bytes - before.bytes) * 8_000) / elapsed : 0,
        codec: report?.get(one.codecId)?.mimeType?.split("/")[1] ?? "",
        limit: limit(one.qualityLimitationReason),
      });
    }
    this.#counters = counters;
    return figures;
  }
}

/** @param {string | undefined} reason */
function limit(reason) {
  return reason === "cpu" || reason === "bandwidth" ? reason : "";
}

/**
 * A bit rate for people.
 * @param {number} rate bit/s
 */
export function showRate(rate) {
  if (rate >= 9_950_000) return `${Math.round(rate / 1_000_000)} Mb/s`;
  if (rate >= 995_000) return `${(rate / 1_000_000).toFixed(1)} Mb/s`;
  return `${Math.round(rate / 1000)} kb/s`;
}

/**
 * A size for people.
 * @param {{width: number, height: number}} size pixels
 */
export function showSize({ width, height }) {
  return width && height ? `${width}×${height}` : "";
}

/**
 * What flows of a video, in one line.
 * @param {Figures} figures
 */
export function showStream({ width, height, fps, bitrate, codec }) {
  if (bitrate < 1 || !width) return "";
  const parts = [showSize({ width, height }), `${fps} fps`, showRate(bitrate), codec];
  return parts.filter(Boolean).join(" · ");
}

/**
 * The sizes in which a track can be had, the smallest first, and what becomes of each.
 * @param {Pick<ReceivedTrackInfo, "layers" | "wanted" | "chosen" | "current">} info
 * @returns {{label: string, wanted: boolean, chosen: boolean, current: boolean}[]}
 */
export function showLayers({ layers, wanted, chosen, current }) {
  /** @type {Map<number, LayerInfo>} */
  const bySize = new Map();
  for (const layer of layers) bySize.set(layer.spatial, layer);
  return [...bySize.values()]
    .sort((a, b) => a.spatial - b.spatial)
    .map((layer) => ({
      label: layer.height ? `${layer.height}p` : layer.rid || String(layer.spatial),
      wanted: wanted?.spatial === layer.spatial,
      chosen: chosen?.spatial === layer.spatial,
      current: current?.spatial === layer.spatial,
    }));
}

/**
 * How loud a microphone is.
 * @module
 */

const FLOOR = -60; // dB below full scale that counts as silence

/** Measures one audio track at a time. */
export class Meter {
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {MediaStreamAudioSourceNode | null} */
  #source = null;
  /** @type {AnalyserNode | null} */
  #analyser = null;
  /** @type {MediaStreamTrack | null} */
  #track = null;
  #samples = new Float32Array(1024);

  /** @param {MediaStreamTrack | null} track */
  measure(track) {
    if (track === this.#track) return;
    this.#track = track;
    this.#source?.disconnect();
    this.#source = null;
    if (!track) return void this.#context?.suspend();
    this.#context ??= new AudioContext();
    this.#analyser ??= new AnalyserNode(this.#context, { fftSize: this.#samples.length });
    this.#source = this.#context.createMediaStreamSource(new MediaStream([track]));
    this.#source.connect(this.#analyser);
  }

  /** The level now: 0 to 1, even steps of loudness as people hear it. */
  get level() {
    if (!this.#source || !this.#analyser || !this.#track?.enabled) return 0;
    // Browsers let a page make sound, and measure it, when somebody has touched it.
    if (this.#context?.state === "suspended") void this.#context.resume().catch(() => {});
    this.#analyser.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, sample) => sum + sample * sample, 0);
    return loudness(Math.sqrt(power / this.#samples.length));
  }
}

/**
 * An amplitude as loudness.
 * @param {number} amplitude 0 to 1
 * @returns {number} 0 (silence) to 1
 */
export function loudness(amplitude) {
  if (amplitude <= 0) return 0;
  const decibels = 20 * Math.log10(amplitude);
  return Math.min(1, Math.max(0, 1 - decibels / FLOOR));
}

/**
 * Watches in which size, and whether at all, elements of the page show tracks.
 * @module
 */

/** @typedef {import("./participant.js").RemoteTrack} RemoteTrack */

/** @typedef {{visible: boolean, width: number, height: number}} Exposure in device pixels */

/**
 * @typedef {object} View
 * @property {RemoteTrack} track
 * @property {number} width device pixels
 * @property {number} height device pixels
 * @property {boolean | null} inView whether a part of it is in the viewport; null: not known yet
 */

const SETTLING_TIME = 100; // ms; a size changes many times while somebody drags a window

/** Tells of each track how it is seen; hidden at once, sizes when they have settled. */
export class Showing {
  /** @type {Map<Element, View>} */
  #views = new Map();
  /** Tracks of which the size has not settled. @type {Map<RemoteTrack, number>} */
  #settling = new Map();
  /** @type {ResizeObserver | null} */
  #sizes = null;
  /** @type {IntersectionObserver | null} */
  #places = null;
  #tell;

  /** @param {(track: RemoteTrack, exposure: Exposure) => void} tell */
  constructor(tell) {
    this.#tell = tell;
  }

  /**
   * From now on the element shows this track.
   * @param {RemoteTrack} track
   * @param {Element} element
   */
  observe(track, element) {
    if (this.#views.get(element)?.track === track) return;
    this.unobserve(element);
    const { sizes, places } = this.#observers();
    this.#views.set(element, { track, width: 0, height: 0, inView: null });
    sizes.observe(element);
    places.observe(element);
  }

  /**
   * The element shows nothing any more.
   * @param {Element} element
   */
  unobserve(element) {
    const view = this.#views.get(element);
    if (!view) return;
    this.#views.delete(element);
    this.#sizes?.unobserve(element);
    this.#places?.unobserve(element);
    this.#report(view.track);
  }

  #observers() {
    if (!this.#sizes || !this.#places) {
      this.#sizes = new ResizeObserver((entries) => this.#resized(entries));
      this.#places = new IntersectionObserver((entries) => this.#moved(entries));
      document.addEventListener("visibilitychange", this.#reportAll);
      for (const name of ["enterpictureinpicture", "leavepictureinpicture"]) {
        document.addEventListener(name, this.#reportAll);
      }
    }
    return { sizes: this.#sizes, places: this.#places };
  }

  /** @param {ResizeObserverEntry[]} entries */
  #resized(entries) {
    for (const { target, contentRect } of entries) {
      const view = this.#views.get(target);
      if (!view) continue;
      view.width = Math.round(contentRect.width * devicePixelRatio);
      view.height = Math.round(contentRect.height * devicePixelRatio);
      this.#settle(view.track);
    }
  }

  /** @param {IntersectionObserverEntry[]} entries the oldest first */
  #moved(entries) {
    for (const { target, isIntersecting } of entries) {
      const view = this.#views.get(target);
      if (!view || view.inView === isIntersecting) continue;
      view.inView = isIntersecting;
      this.#report(view.track);
    }
  }

  #reportAll = () => {
    for (const track of new Set([...this.#views.values()].map(({ track }) => track))) {
      this.#report(track);
    }
  };

  /** @param {RemoteTrack} track */
  #settle(track) {
    clearTimeout(this.#settling.get(track));
    const timer = setTimeout(() => this.#report(track), SETTLING_TIME);
    this.#settling.set(track, /** @type {number} */ (/** @type {unknown} */ (timer)));
  }

  /** @param {RemoteTrack} track */
  #report(track) {
    clearTimeout(this.#settling.get(track));
    this.#settling.delete(track);
    const views = [...this.#views].filter(([, view]) => view.track === track);
    if (views.some(([, { inView }]) => inView === null)) return; // it will be known in a moment
    const pictureInPicture = document.pictureInPictureElement;
    const seen = views.filter(([element, { inView }]) =>
      document.hidden ? pictureInPicture && element.contains(pictureInPicture) : inView,
    );
    this.#tell(track, exposure(seen.map(([, view]) => view), track.settings));
  }
}

/**
 * What several views of one track ask for together: the largest.
 * @param {{width: number, height: number}[]} seen those that can be seen
 * @param {{width: number, height: number}} last size, which holds on while nothing is seen
 * @returns {Exposure}
 */
export function exposure(seen, { width, height }) {
  if (seen.length === 0) return { visible: false, width, height };
  return {
    visible: true,
    width: Math.max(...seen.map((view) => view.width)),
    height: Math.max(...seen.map((view) => view.height)),
  };
}

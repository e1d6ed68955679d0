/**
 * An EventTarget whose events are typed.
 * @module
 */

/**
 * Events are CustomEvents: `addEventListener` hands over the event, `on` its detail.
 * @template {Record<string, any>} Events detail by event name
 */
export class Emitter extends EventTarget {
  /**
   * Calls the listener with the detail of every such event.
   * @template {keyof Events & string} Name
   * @param {Name} name
   * @param {(detail: Events[Name]) => void} listener
   * @param {AddEventListenerOptions} [options]
   * @returns {() => void} ends it
   */
  on(name, listener, options) {
    const wrapped = (/** @type {Event} */ event) =>
      listener(/** @type {CustomEvent<Events[Name]>} */ (event).detail);
    this.addEventListener(name, wrapped, options);
    return () => this.removeEventListener(name, wrapped);
  }

  /**
   * Tells the listeners, at once; what one of them throws goes to the console, not to us.
   * @template {keyof Events & string} Name
   * @param {Name} name
   * @param {Events[Name]} detail
   */
  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

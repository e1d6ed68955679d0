/**
 * Files of recordings, by HTTP. The token goes in a header, never in an address: those end in
 * histories and logs.
 * @module
 */

import { ConnectionError, RequestError } from "./errors.js";

/** @typedef {import("./protocol.js").RecordedFile} RecordedFile */

/** Looks at, fetches and deletes what was recorded. */
export class RecordingFiles {
  #base;
  #token;

  /**
   * @param {URL} base of the application, ending in a slash
   * @param {string} [token] for servers that want one
   */
  constructor(base, token = "") {
    this.#base = base;
    this.#token = token;
  }

  /**
   * The files of a recording.
   * @param {string} id
   * @returns {Promise<RecordedFile[]>}
   * @throws {RequestError | ConnectionError}
   */
  async list(id) {
    return (await (await this.#ask(`${encodeURIComponent(id)}/files`)).json()).files;
  }

  /**
   * Deletes a recording that has ended, with all its files.
   * @param {string} id
   * @throws {RequestError | ConnectionError}
   */
  async delete(id) {
    await this.#ask(encodeURIComponent(id), { method: "DELETE" });
  }

  /**
   * The content of a file, or the address of the store that has it.
   * @param {string} id
   * @param {string} name
   * @param {(part: number) => void} [progress] told how much has come, 0 to 1
   * @returns {Promise<Blob | URL>} browsers keep a large blob on their disk
   * @throws {RequestError | ConnectionError}
   */
  async fetch(id, name, progress = () => {}) {
    const file = name.split("/").map(encodeURIComponent).join("/");
    const path = `${encodeURIComponent(id)}/files/${file}`;
    const response = await this.#ask(path, { redirect: "manual" });
    if (response.type === "opaqueredirect") {
      // The page may not connect to other hosts, and is not told which one it is.
      const headers = { Accept: "application/json" };
      return new URL((await (await this.#ask(path, { headers })).json()).url);
    }
    const total = Number(response.headers.get("Content-Length"));
    if (!response.body || !total) return read(response);
    let come = 0;
    const counter = new TransformStream({
      transform(chunk, controller) {
        come += chunk.byteLength;
        progress(come / total);
        controller.enqueue(chunk);
      },
    });
    const type = response.headers.get("Content-Type") ?? "";
    const counted = response.body.pipeThrough(counter);
    return read(new Response(counted, { headers: { "Content-Type": type } }));
  }

  /**
   * @param {string} path
   * @param {RequestInit & {headers?: Record<string, string>}} [options]
   */
  async #ask(path, { headers, ...options } = {}) {
    const authorization = this.#token && { Authorization: `Bearer ${this.#token}` };
    const response = await fetch(new URL(`api/v1/recordings/${path}`, this.#base), {
      ...options,
      headers: { ...headers, ...(authorization || {}) },
    }).catch((cause) => {
      throw new ConnectionError("connection_failed", "The server cannot be reached.", { cause });
    });
    if (response.ok || response.type === "opaqueredirect") return response;
    const { error = "internal_error", detail = "" } = await response.json().catch(() => ({}));
    throw new RequestError(error, detail);
  }
}

/** @param {Response} response */
async function read(response) {
  return response.blob().catch((cause) => {
    throw new ConnectionError("connection_lost", "The connection was lost.", { cause });
  });
}

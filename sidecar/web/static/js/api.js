// @ts-check
// Talks to the server: one way to ask, one kind of error, and always a sentence the reader can understand.

/** What went wrong, as the server said it (RFC 9457), or as we found it on the way there. */
export class Problem extends Error {
  /**
   * @param {{slug: string, status: number, sentence: string, title?: string, params?: Record<string, unknown>}} found
   */
  constructor(found) {
    super(found.title || found.slug);
    this.name = "Problem";
    /** The problem's name, the part after "#" of its type; "offline" and "timeout" are ours. */
    this.slug = found.slug;
    /** HTTP status, 0 when no answer came. */
    this.status = found.status;
    /** One plain sentence in the reader's language. */
    this.sentence = found.sentence;
    /** Everything else the server said. @type {Record<string, unknown>} */
    this.params = found.params || {};
  }
}

/**
 * Returns the problem that an answer's body describes; an unreadable body becomes the general sentence.
 * @param {number} status
 * @param {unknown} body
 * @param {string} fallback the general sentence of this page's language
 */
export function problemFrom(status, body, fallback) {
  const found = /** @type {Record<string, unknown>} */ (body && typeof body === "object" ? body : {});
  const type = typeof found.type === "string" ? found.type : "";
  const sentence = typeof found.sentence === "string" && found.sentence ? found.sentence : fallback;
  const title = typeof found.title === "string" ? found.title : "";
  return new Problem({ slug: type.split("#")[1] || "internal", status, sentence, title, params: found });
}

/** The page's own sentences for "no answer came" and "something went wrong". @param {"offline" | "failed"} which */
function pageSentence(which) {
  return document.getElementById("announce")?.dataset[which] || "";
}

/** Returns the value this page sends back to show that it came from us. */
export function csrf() {
  return document.querySelector('meta[name="csrf"]')?.getAttribute("content") || "";
}

/**
 * Sends one request and returns its JSON body, null for an empty one. Throws Problem; an abort by the caller is
 * thrown on as it is (AbortError), so that leaving a page is never shown as a failure. A body is sent as JSON, or as
 * the form it is.
 * @param {string} url
 * @param {{method?: string, body?: unknown, signal: AbortSignal, timeout?: number}} options timeout in milliseconds
 * @returns {Promise<any>}
 */
export async function ask(url, { method = "GET", body, signal, timeout = 15000 }) {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), timeout);
  const stop = () => limit.abort();
  signal.addEventListener("abort", stop, { once: true });
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-Tillit-CSRF"] = csrf();
  const form = body instanceof FormData;
  if (body !== undefined && !form) headers["Content-Type"] = "application/json";
  try {
    signal.throwIfAborted();
    const answer = await fetch(url, {
      method, headers, signal: limit.signal, credentials: "same-origin", cache: "no-store",
      body: body === undefined || form ? body : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw problemFrom(answer.status, parsed(text), pageSentence("failed"));
    return text ? parsed(text) : null;
  } catch (error) {
    if (error instanceof Problem) throw error;
    signal.throwIfAborted();
    const slug = limit.signal.aborted ? "timeout" : "offline";
    throw new Problem({ slug, status: 0, sentence: pageSentence("offline") });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

/** @param {string} text @returns {unknown} null when it is not JSON */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Posts JSON. @param {string} url @param {unknown} body @param {AbortSignal} signal @returns {Promise<any>} */
export function post(url, body, signal) {
  return ask(url, { method: "POST", body, signal });
}

/** Gets JSON. @param {string} url @param {AbortSignal} signal @returns {Promise<any>} */
export function get(url, signal) {
  return ask(url, { signal });
}

/** Returns a signal that ends when the page is left. A page kept by the browser for "back" gets a fresh load instead. */
export function pageSignal() {
  const gone = new AbortController();
  addEventListener("pagehide", () => gone.abort(), { once: true });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  return gone.signal;
}

/** Returns a signal that ends with the first of several (AbortSignal.any, which phones of 2023 lack). @param {AbortSignal[]} signals */
export function firstOf(...signals) {
  const joined = new AbortController();
  for (const signal of signals) {
    if (signal.aborted) joined.abort();
    else signal.addEventListener("abort", () => joined.abort(), { once: true, signal: joined.signal });
  }
  return joined.signal;
}

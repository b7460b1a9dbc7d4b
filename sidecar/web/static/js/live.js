// @ts-check
// Keeps a line open to the server and says so when it is lost: retries by itself, loses nothing.

import { announce } from "./announce.js";
import { onWake } from "./wake.js";

/**
 * Returns how long to wait before the next try, in milliseconds: doubling from one second to fifteen, spread by a
 * quarter so that a whole room of pages does not come back at the same moment.
 * @param {number} attempt 0 for the first try after a loss
 * @param {number} spread between 0 and 1, as Math.random gives it
 */
export function backoff(attempt, spread) {
  const base = Math.min(1000 * 2 ** attempt, 15000);
  return Math.round(base * (0.875 + spread / 4));
}

/** @param {string} text @returns {any} the event's JSON, null when it cannot be read */
export function eventData(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * Listens to the server's events until the signal ends. An event is only handed on when its data can be read.
 * The strip with id "strip" shows after two seconds without a line, and hides when it is back.
 * @param {string} url
 * @param {{
 *   signal: AbortSignal,
 *   onState?: (state: any) => void,
 *   onNotice?: (notice: {sentence: string, urgent?: boolean}) => void,
 *   onGo?: (url: string) => void,
 *   onFact?: (fact: {kind: string, at: string, data: any}) => void,
 *   onOpen?: () => void,
 *   onLost?: () => void,
 *   onBack?: () => void,
 * }} listener
 */
export function listen(url, { signal, onState, onNotice, onGo, onFact, onOpen, onLost, onBack }) {
  /** @type {EventSource | null} */
  let source = null;
  let attempt = 0;
  let lost = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let warn;

  const back = () => {
    attempt = 0;
    clearTimeout(warn);
    warn = undefined;
    if (!lost) return;
    lost = false;
    showStrip(false);
    onBack?.();
  };
  const away = () => {
    source?.close();
    source = null;
    if (signal.aborted) return;
    warn ??= setTimeout(() => {
      lost = true;
      showStrip(true);
      onLost?.();
    }, 2000);
    clearTimeout(retry);
    retry = setTimeout(open, backoff(attempt, Math.random()));
    attempt += 1;
  };
  const open = () => {
    if (signal.aborted) return;
    clearTimeout(retry);
    source?.close();
    const opened = new EventSource(url);
    source = opened;
    opened.addEventListener("open", back);
    opened.addEventListener("open", () => onOpen?.());
    opened.addEventListener("error", () => { if (source === opened) away(); });
    opened.addEventListener("state", (event) => hand(event, (data) => onState?.(data)));
    opened.addEventListener("notice", (event) => hand(event, (data) => onNotice?.(data)));
    opened.addEventListener("fact", (event) => hand(event, (data) => onFact?.(data)));
    opened.addEventListener("go", (event) => hand(event, (data) => { if (ours(data.url)) (onGo || follow)(data.url); }));
  };
  // A line that was open when the computer fell asleep can look open for minutes after it is dead.
  onWake(open, signal);
  signal.addEventListener("abort", () => {
    source?.close();
    clearTimeout(retry);
    clearTimeout(warn);
  }, { once: true });
  open();
}

/** @param {Event} event @param {(data: any) => void} act */
function hand(event, act) {
  const data = eventData(/** @type {MessageEvent} */ (event).data);
  if (data !== null) act(data);
}

/** True for an address on this site: the line may lead on, never away. @param {unknown} url */
export function ours(url) {
  return typeof url === "string" && /^\/(?![/\\])/.test(url);
}

/** @param {string} url */
function follow(url) {
  location.assign(url);
}

/** @param {boolean} shown */
function showStrip(shown) {
  const strip = document.getElementById("strip");
  if (!strip) return;
  strip.hidden = !shown;
  if (shown) {
    strip.dataset.held = "true";
    announce(strip.textContent?.trim() || "");
  } else {
    delete strip.dataset.held;
    announce(strip.dataset.back || "");
  }
}

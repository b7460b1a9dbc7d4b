// @ts-check
// Tells when the page has come back from somewhere: the computer slept, the phone was locked, the network is another one.
// What stood before may be dead without anybody having said so.

/** Milliseconds between two looks at the clock, how late a look may be, and how late where a browser lets hidden pages sleep. */
const LOOK = 4000;
const LATE = 10_000;
const LATE_HIDDEN = 90_000;
/** Milliseconds out of sight after which coming back is worth a look. */
const AWAY = 20_000;

/**
 * Whether the clock jumped between two looks: timers stand still while a computer sleeps, and come seldom to a hidden page.
 * @param {number} passed milliseconds @param {boolean} hidden
 */
export const jumped = (passed, hidden) => passed > LOOK + (hidden ? LATE_HIDDEN : LATE);

/**
 * @param {() => void} tell
 * @param {AbortSignal} signal
 */
export function onWake(tell, signal) {
  // Not performance.now(): in some browsers it sleeps too.
  let looked = Date.now();
  let hiddenAt = 0;
  const timer = setInterval(() => {
    const now = Date.now();
    if (jumped(now - looked, document.hidden)) tell();
    looked = now;
  }, LOOK);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  document.addEventListener("resume", tell, { signal });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) hiddenAt = Date.now();
    else if (Date.now() - hiddenAt > AWAY) tell();
  }, { signal });
  addEventListener("online", tell, { signal });
  const network = /** @type {(EventTarget & {type?: string}) | undefined} */ (/** @type {any} */ (navigator).connection);
  // The same event tells new estimates of the same network; only another kind of network is another one.
  let kind = network?.type;
  network?.addEventListener?.("change", () => {
    if (network.type === kind) return;
    kind = network.type;
    if (kind !== "none") tell();
  }, { signal });
}

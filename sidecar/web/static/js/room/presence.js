// @ts-check
// While a meeting is held: the screen stays lit, and a page nobody looks at asks for no pictures.

/** Milliseconds a page may lie behind before it stops asking for pictures. Sound goes on. */
const BEHIND = 10_000;

/**
 * Keep the screen from going dark. A browser that cannot is left alone.
 */
export function stayLit() {
  const ask = () => {
    if (document.visibilityState === "visible") void navigator.wakeLock?.request("screen").catch(() => {});
  };
  // The system takes the lock back whenever the page is hidden.
  document.addEventListener("visibilitychange", ask);
  ask();
}

/**
 * Tell when the page has been out of sight for a while, and when it is back.
 * @param {(looked: boolean) => void} tell
 */
export function watchLooks(tell) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let looked = true;
  const set = (/** @type {boolean} */ now) => {
    if (now !== looked) tell((looked = now));
  };
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => set(false), BEHIND);
    else set(true);
  });
}

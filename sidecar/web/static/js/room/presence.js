// @ts-check
// While a meeting is held: the screen stays lit, and a page nobody looks at asks for no pictures.

/** Milliseconds a page may lie behind before it stops asking for pictures. Sound goes on. */
const BEHIND = 10_000;

/**
 * Keep the screen from going dark. A browser that cannot is left alone.
 * @returns {() => void} lets the screen go dark again
 */
export function stayLit() {
  const over = new AbortController();
  /** @type {WakeLockSentinel | null} */
  let lock = null;
  const ask = async () => {
    if (document.visibilityState !== "visible" || (lock && !lock.released)) return;
    try {
      lock = (await navigator.wakeLock?.request("screen")) ?? null;
    } catch {
      return; // low battery, or the person's own setting
    }
    if (over.signal.aborted) void lock?.release();
  };
  // The system takes the lock back whenever the page is hidden.
  document.addEventListener("visibilitychange", () => void ask(), { signal: over.signal });
  void ask();
  return () => {
    over.abort();
    void lock?.release();
  };
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

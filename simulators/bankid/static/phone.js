// @ts-check
// Draws the page anew when an order has moved, unless somebody is typing.

const PAUSE_MS = 1500;

async function look() {
  const answer = await fetch("/version", { signal: AbortSignal.timeout(5000) });
  const { version } = await answer.json();
  const busy = document.querySelector("input:focus, select:focus, details[open]");
  if (version !== document.body.dataset.version && !busy) location.reload();
}

setInterval(() => {
  if (document.visibilityState === "visible") look().catch(() => {});
}, PAUSE_MS);

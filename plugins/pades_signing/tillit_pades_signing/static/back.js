// @ts-check
// The app came back to this browser: hand its nonce over once, and say how it went.

const root = document.getElementById("back");
const csrf = document.querySelector('meta[name="csrf"]')?.getAttribute("content") ?? "";

/** @param {string} which */
function show(which) {
  for (const part of root?.querySelectorAll("[data-part]") ?? []) /** @type {HTMLElement} */ (part).hidden = /** @type {HTMLElement} */ (part).dataset.part !== which;
}

async function hand() {
  if (!root) return;
  const nonce = new URL(location.href).searchParams.get("nonce") ?? "";
  history.replaceState(null, "", location.pathname); // the nonce is spent: it stays in no address
  for (let tries = 0; tries < 60; tries += 1) {
    const answer = await fetch(`${root.dataset.here}/${tries ? "poll" : "answer"}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Tillit-CSRF": csrf, Accept: "application/json" },
      body: JSON.stringify(tries ? {} : { nonce }),
    }).catch(() => null);
    if (answer && answer.ok) {
      const step = await answer.json();
      if (step.status === "complete" || step.signing?.me?.held_back === "already_signed") return show("done");
      if (step.status === "failed") return show("failed");
    } else if (answer && answer.status < 500) return show("failed");
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  show("failed");
}

void hand();

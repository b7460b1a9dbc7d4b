// @ts-check
// A part of the page that follows the desk's events: fetched anew when something changed, the focus kept where it was.

import { announce } from "../announce.js";
import { pageSignal } from "../api.js";
import { listen } from "../live.js";
import { sessionOver } from "./said.js";

/** The sentences of those who were not there before. @param {Map<string, string>} before @param {Map<string, string>} now */
export function newcomers(before, now) {
  return [...now].filter(([id]) => !before.has(id)).map(([, sentence]) => sentence);
}

/** What tells an element of a page from others when the page is fetched again. @param {Element} element */
function keyOf(element) {
  const form = element.closest("form");
  const action = form ? form.getAttribute("action") || "" : "";
  const own = ["id", "data-post", "href", "data-body"].map((name) => element.getAttribute(name) || "");
  return [element.tagName, action, ...own].join("|");
}

/** @param {ParentNode} root */
function waiting(root) {
  return new Map([...root.querySelectorAll("[data-waits]")].map((one) => [
    one.getAttribute("data-waits") || "", one.querySelector("h2")?.textContent?.trim() || "",
  ]));
}

/**
 * Fetches the page again and replaces the part with this id. Says who began to wait.
 * @param {string} id @param {AbortSignal} signal
 * @returns {Promise<boolean>} false when the session is over
 */
export async function refresh(id, signal) {
  const answer = await fetch(location.href, {
    headers: { Accept: "text/html" }, credentials: "same-origin", redirect: "manual", signal,
  });
  if (answer.type === "opaqueredirect" || answer.status === 401) {
    sessionOver();
    return false;
  }
  const now = document.getElementById(id);
  if (!answer.ok || !now) return true;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById(id);
  if (!fresh || fresh.innerHTML === now.innerHTML) return true;
  const focused = document.activeElement;
  const key = focused && now.contains(focused) ? keyOf(focused) : "";
  const before = waiting(now);
  now.replaceChildren(...fresh.childNodes);
  document.title = page.title;
  if (key) {
    const again = [...now.querySelectorAll("a, button")].find((one) => keyOf(one) === key);
    if (again instanceof HTMLElement) again.focus();
  }
  const came = newcomers(before, waiting(now));
  if (came.length) announce(came.join(". "));
  return true;
}

/**
 * Listens to the desk's events and keeps the part that shows them fresh.
 * @param {string} id the part; its data-events is the line, its data-seen the newest announcement it knows
 * @returns {() => void} fetches the part anew at once
 */
export function follow(id) {
  const root = document.getElementById(id);
  const signal = pageSignal();
  let seen = Number(root?.dataset.seen);
  let busy = false;
  let again = false;
  const ended = new AbortController();
  signal.addEventListener("abort", () => ended.abort(), { once: true });
  const look = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      if (!(await refresh(id, signal))) ended.abort();
    } catch {
      // Without a line the strip tells; the next event or the next try fetches it.
    } finally {
      busy = false;
      if (again) {
        again = false;
        void look();
      }
    }
  };
  if (root?.dataset.events) {
    listen(root.dataset.events, {
      signal: ended.signal,
      onState: (state) => {
        if (state.last === seen) return;
        seen = state.last;
        void look();
      },
      onLost: () => void look(),
      onBack: () => void look(),
    });
  }
  return () => void look();
}

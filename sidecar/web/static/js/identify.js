// @ts-check
// Step 2: one sign-in at a time, begun by the person, asked about once a second, and told in words.

import { announce } from "./announce.js";
import { firstOf, pageSignal, post, Problem } from "./api.js";
import { ours } from "./live.js";
import { counted } from "./words.js";

/**
 * @typedef {{qr?: string, launch_url?: string, field?: string, length?: number, attempts_left?: number,
 *            renew?: boolean}} View
 * @typedef {{status: "pending" | "failed" | "complete", message?: string, view?: View, next?: string | null}} Answer
 */

const RENEWALS = 5; // a page left alone stops asking for new codes after this many
const POLL_EVERY = 1000; // milliseconds; BankID's QR code changes each second

/** True on a device one holds: there the app is here, and a code on its own screen cannot be scanned. */
export function isPhone(/** @type {{coarse: boolean, width: number}} */ { coarse, width }) {
  return coarse && width <= 960;
}

/**
 * Keeps only what a drawn QR code needs: shapes and their measures. What else a text brings is left out.
 * @param {string} name an element's or attribute's name
 * @param {"element" | "attribute"} kind
 */
export function drawable(name, kind) {
  const elements = ["svg", "g", "path", "rect", "title"];
  const attributes = [
    "viewBox", "width", "height", "x", "y", "d", "fill", "stroke", "stroke-width", "transform", "shape-rendering", "version",
  ];
  return (kind === "element" ? elements : attributes).includes(name);
}

/** The digits of what was typed or pasted, spaces and dashes aside. @param {string} text @param {number} length */
export function digitsOf(text, length) {
  return text.replace(/\D/g, "").slice(0, length);
}

/** True for an address that may open an app or a page of an identity provider. @param {unknown} url */
export function launchable(url) {
  return typeof url === "string" && /^(https|bankid|freja|mitid|frejaeid):\/\//.test(url);
}

class SignIn {
  /** @param {HTMLElement} root @param {AbortSignal} signal */
  constructor(root, signal) {
    this.root = root;
    this.page = signal;
    this.round = new AbortController();
    this.renewals = 0;
    /** @type {boolean} */
    this.sameDevice = false;
    this.submitting = false;
  }

  /** @param {string} selector @returns {HTMLElement | null} */
  part(selector) {
    return this.root.querySelector(selector);
  }

  /** The signal of the sign-in now under way: a new one, or leaving the page, ends the asking. */
  get signal() {
    return firstOf(this.page, this.round.signal);
  }

  /** @param {string} url @param {Record<string, unknown>} body @returns {Promise<Answer | null>} */
  async ask(url, body) {
    try {
      return await post(url, body, this.signal);
    } catch (error) {
      if (!(error instanceof Problem)) {
        if (this.signal.aborted) return null;
        throw error;
      }
      return { status: "failed", message: error.sentence, view: {} };
    }
  }

  /** @param {boolean} sameDevice */
  async start(sameDevice) {
    this.round.abort();
    this.round = new AbortController();
    this.sameDevice = sameDevice;
    this.state("starting");
    const answer = await this.ask(this.root.dataset.start || "", {
      method: this.root.dataset.method, same_device: sameDevice,
    });
    if (!answer) return;
    this.take(answer);
    if (answer.status !== "pending") return;
    if (sameDevice && launchable(answer.view?.launch_url)) location.assign(answer.view?.launch_url || "");
    if (this.root.dataset.kind === "eid") await this.poll();
  }

  /** Asks once a second until there is an answer; a hidden page asks too, since the person is in the app. */
  async poll() {
    const round = this.signal;
    let misses = 0;
    while (!round.aborted) {
      await pause(POLL_EVERY * Math.min(1 + misses, 5), round);
      if (round.aborted) return;
      try {
        const answer = await post(this.root.dataset.poll || "", {}, round);
        misses = 0;
        this.take(answer);
        if (answer.status !== "pending") return;
      } catch (error) {
        if (!(error instanceof Problem)) return;
        misses += 1; // the network blinked: nothing is lost, ask again a little later
        if (error.status !== 0 || misses > 8) return this.take({ status: "failed", message: error.sentence });
        this.say(error.sentence);
      }
    }
  }

  /** Each code counts as an attempt, so one is sent at a time. @param {string} code */
  async submit(code) {
    if (this.submitting) return;
    this.submitting = true;
    let leaves = false;
    try {
      const answer = await this.ask(this.root.dataset.submit || "", { code });
      leaves = ours(answer?.next);
      if (answer) this.take(answer);
    } finally {
      this.submitting = leaves;
    }
  }

  async cancel() {
    this.round.abort();
    this.round = new AbortController();
    const answer = await this.ask(this.root.dataset.cancel || "", {});
    this.take(answer || { status: "failed", message: "" });
  }

  /** @param {Answer} answer */
  take(answer) {
    const view = answer.view || {};
    if (ours(answer.next)) {
      this.round.abort();
      location.assign(answer.next || "");
      return;
    }
    if (view.qr) drawCode(this.part("[data-qr]"), view.qr);
    if (answer.status === "failed" && view.renew && this.renewals < RENEWALS) {
      this.renewals += 1;
      if (answer.message) announce(answer.message);
      void this.start(this.sameDevice);
      return;
    }
    const open = answer.status === "pending";
    this.state(open ? "pending" : answer.status === "complete" ? "done" : "failed");
    this.attempts(view);
    if (open) {
      this.fail("");
      this.say(answer.message || "");
    } else {
      this.fail(answer.message || "");
    }
  }

  /** @param {string} state */
  state(state) {
    this.root.dataset.state = state;
    const running = state === "starting" || state === "pending";
    const shown = (/** @type {string} */ selector, /** @type {boolean} */ visible) => {
      const part = this.part(selector);
      if (part) part.hidden = !visible;
    };
    if (this.root.dataset.kind === "code") {
      if (state === "starting") this.entry();
    } else {
      shown("[data-again]", state === "failed");
      shown("[data-cancel-now]", running);
      shown("[data-back]", !running);
      shown("[data-status]", running);
    }
    if (state === "starting") this.say(this.part("[data-status]")?.dataset.starting || "");
  }

  /** Opens the field for the code, and puts the person in it. */
  entry() {
    const before = this.part('[data-part="before"]');
    const form = this.part('[data-part="entry"]');
    if (!before || !form || !form.hidden) return;
    before.hidden = true;
    form.hidden = false;
    this.part("#code")?.focus();
  }

  /** The visible line beside the code, read out when it changes. @param {string} sentence */
  say(sentence) {
    const line = this.part("[data-status]");
    const open = this.sameDevice ? line?.dataset.open : line?.dataset.idle;
    const text = sentence || open || "";
    if (!line || line.textContent === text) return;
    line.textContent = text;
    announce(text);
  }

  /** @param {string} sentence */
  fail(sentence) {
    const part = this.part("[data-failed]");
    const place = part?.querySelector("span");
    if (!part || !place) return;
    const fresh = place.textContent !== sentence || part.hidden;
    place.textContent = sentence;
    part.hidden = !sentence;
    this.part("#code")?.toggleAttribute("aria-invalid", Boolean(sentence));
    if (sentence && fresh) announce(sentence);
    if (sentence && this.root.dataset.kind === "code") this.part("#code")?.focus();
  }

  /** @param {View} view */
  attempts(view) {
    const line = this.part("[data-attempts]");
    if (!line) return;
    const left = view.attempts_left;
    line.hidden = left === undefined;
    if (left === undefined) return;
    const forms = { one: line.dataset.one, other: line.dataset.other || "" };
    line.textContent = counted(forms, left, document.documentElement.lang);
  }
}

/** @param {number} milliseconds @param {AbortSignal} signal @returns {Promise<void>} */
function pause(milliseconds, signal) {
  return new Promise((done) => {
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", () => { clearTimeout(timer); done(); }, { once: true });
  });
}

/** Draws the code of the second. @param {HTMLElement | null} place @param {string} text an svg document */
function drawCode(place, text) {
  const found = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  if (!place || found.nodeName !== "svg") return;
  place.replaceChildren(copied(found));
}

/** @param {Element} from @returns {Element} */
function copied(from) {
  const to = document.createElementNS("http://www.w3.org/2000/svg", from.nodeName);
  for (const { name, value } of from.attributes) if (drawable(name, "attribute")) to.setAttribute(name, value);
  for (const child of from.children) if (drawable(child.nodeName, "element")) to.append(copied(child));
  if (from.nodeName === "svg") fitted(to);
  return to;
}

/** Lets a drawing fill its place: its measures become its view. @param {Element} drawing */
function fitted(drawing) {
  const [width, height] = ["width", "height"].map((name) => parseFloat(drawing.getAttribute(name) || ""));
  if (!drawing.hasAttribute("viewBox") && width > 0 && height > 0) drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.removeAttribute("width");
  drawing.removeAttribute("height");
  drawing.setAttribute("aria-hidden", "true");
}

/** @param {HTMLElement} root */
function begin(root) {
  const signIn = new SignIn(root, pageSignal());
  const phone = isPhone({ coarse: matchMedia("(pointer: coarse)").matches, width: innerWidth });
  const press = (/** @type {string} */ selector, /** @type {() => void} */ act) =>
    root.querySelector(selector)?.addEventListener("click", act);
  root.dataset.device = phone ? "phone" : "desk";
  const way = (/** @type {"here" | "scan"} */ chosen) => { root.dataset.way = chosen; };
  if (root.dataset.kind === "code") return beginCode(root, signIn);

  const hasApp = Boolean(root.querySelector("[data-here]"));
  way(phone && hasApp ? "here" : "scan");
  root.querySelector("[data-here]")?.classList.add(...(phone ? ["main"] : []));
  if (phone) root.querySelector("[data-here]")?.classList.remove("line");
  press("[data-here]", () => { way("here"); void signIn.start(true); });
  press("[data-show-qr]", () => { way("scan"); void signIn.start(false); });
  press("[data-again]", () => void signIn.start(root.dataset.way === "here"));
  press("[data-cancel-now]", () => void signIn.cancel());
  if (root.dataset.resume === "yes") {
    signIn.sameDevice = root.dataset.way === "here";
    signIn.state("pending");
    signIn.say("");
    void signIn.poll();
  } else if (root.dataset.way === "scan") void signIn.start(false);
  else signIn.state("idle");
}

/** @param {HTMLElement} root @param {SignIn} signIn */
function beginCode(root, signIn) {
  const input = /** @type {HTMLInputElement} */ (root.querySelector("#code"));
  const missing = /** @type {HTMLElement} */ (root.querySelector("[data-failed]")).dataset.missing || "";
  const length = input.maxLength > 0 ? input.maxLength : 6;
  root.querySelector("[data-again]")?.addEventListener("click", () => void signIn.start(false));
  root.querySelector("[data-resend]")?.addEventListener("click", () => {
    input.value = "";
    void signIn.start(false);
    input.focus();
  });
  input.removeAttribute("maxlength"); // a pasted "123 456" is longer than its digits
  input.addEventListener("input", () => { input.value = digitsOf(input.value, length); });
  root.querySelector("form")?.addEventListener("submit", (event) => {
    event.preventDefault();
    if (input.value.length === length) void signIn.submit(input.value);
    else signIn.fail(missing);
  });
  if (root.dataset.resume === "yes") signIn.entry();
}

const root = typeof document === "undefined" ? null : document.getElementById("identify");
if (root) begin(root);

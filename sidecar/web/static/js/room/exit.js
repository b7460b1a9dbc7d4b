// @ts-check
// The ways out: leaving, ending for everybody, and being led out. Each asks at most once.

import { ours } from "../live.js";

/** Milliseconds the server has to lead on from a meeting that is over, before the page goes by itself. */
const LEAD = 4000;

export class Exit {
  #hub;
  #url;
  #quiet;
  #changed;
  /** The sentence that says why the meeting is over for this page; empty while it is not. */
  over = "";

  /**
   * @param {import("./hub.js").Hub} hub
   * @param {object} wiring
   * @param {string} wiring.url where one goes after leaving
   * @param {() => void} wiring.quiet lets go of everything that is sent and heard
   * @param {() => void} wiring.changed
   */
  constructor(hub, { url, quiet, changed }) {
    this.#hub = hub;
    this.#url = url;
    this.#quiet = quiet;
    this.#changed = changed;
  }

  /** The meeting is over for this page. @param {string} sentence @param {{stay?: boolean}} [options] stay: nowhere to go on to */
  end(sentence, { stay = false } = {}) {
    if (this.over) return;
    this.over = sentence;
    this.#quiet();
    this.#hub.alarm(sentence);
    this.#changed();
    if (!stay) setTimeout(() => this.go(this.#url), LEAD);
  }

  /** Go on to another page of ours; no other site is ever led to. @param {unknown} url */
  go(url) {
    if (!ours(url)) return;
    this.#quiet();
    location.assign(/** @type {string} */ (url));
  }

  async leave() {
    const { t, ask, act } = this.#hub;
    if (!this.over) {
      if (!(await ask({ title: t("leave.title"), text: t("leave.text"), stay: t("leave.stay"), go: t("leave.go") }))) return;
      this.#quiet();
      await act("leave");
    }
    this.go(this.#url);
  }

  async endForAll() {
    const { t, ask, act } = this.#hub;
    if (!(await ask({ title: t("end.title"), text: t("end.text"), stay: t("end.stay"), go: t("end.go") }))) return;
    const done = await act("end");
    if (done) this.go(ours(done.next) ? done.next : this.#url);
  }
}

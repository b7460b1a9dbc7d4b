// @ts-check
// The ways out: leaving, ending for everybody, and being led out. Each asks at most once, and one of them is taken.

import { ours } from "../live.js";

/** Milliseconds the server has to lead on from a meeting that is over, before the page goes by itself. */
const LEAD = 4000;

export class Exit {
  #hub;
  #url;
  #quiet;
  #changed;
  /** An act of one's own is under way and leads on by itself: what the line says meanwhile waits. */
  #acting = false;
  #held = "";
  #gone = false;
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

  /** Go on to another page of ours, once; no other site is ever led to. @param {unknown} url */
  go(url) {
    if (!ours(url) || this.#gone) return;
    if (this.#acting) {
      this.#held = /** @type {string} */ (url);
      return;
    }
    this.#gone = true;
    this.#quiet();
    location.assign(/** @type {string} */ (url));
  }

  async leave() {
    const { t, ask } = this.#hub;
    if (!this.over) {
      if (!(await ask({ title: t("leave.title"), text: t("leave.text"), stay: t("leave.stay"), go: t("leave.go") }))) return;
      this.#quiet();
      await this.#act("leave");
    }
    this.go(this.#url);
  }

  async endForAll() {
    const { t, ask } = this.#hub;
    if (!(await ask({ title: t("end.title"), text: t("end.text"), stay: t("end.stay"), go: t("end.go") }))) return;
    const done = await this.#act("end");
    if (done) this.go(ours(done.next) ? done.next : this.#url);
    else this.go(this.#held);
  }

  /** @param {"leave" | "end"} name */
  async #act(name) {
    this.#acting = true;
    const done = await this.#hub.act(name);
    this.#acting = false;
    return done;
  }
}

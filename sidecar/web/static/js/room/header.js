// @ts-check
// The strip at the top: the meeting, the clock, the promise; and the document's title, which says what asks for attention.

import { clock, minutesIn, pageTitle, untilSoon } from "./clock.js";
import { byId, write } from "./dom.js";
import { may, waiting } from "./state.js";

/** Milliseconds between two looks at the clock. */
const CLOCK = 10_000;

export class Header {
  #hub;
  #over;
  /** @type {Set<string>} ends that have been told */ #told = new Set();

  /** @param {import("./hub.js").Hub} hub @param {() => boolean} over the meeting is over for this page */
  constructor(hub, over) {
    this.#hub = hub;
    this.#over = over;
    setInterval(() => this.#tick(), CLOCK);
    this.#tick();
  }

  /** @param {{reconnecting: boolean, unread: number, microphone: boolean, camera: boolean, looked: boolean}} now looked: the page is in sight */
  update({ reconnecting, unread, microphone, camera, looked }) {
    const { room, t } = this.#hub;
    const { meeting, recording } = room();
    const [first] = waiting(room());
    write(byId("promise"), meeting.promise);
    write(byId("room-title"), meeting.title);
    const attention = [
      reconnecting ? t("title.reconnecting") : "",
      recording?.mine === null ? t("title.consent") : "",
      first ? t("title.waiting", { name: first.name }) : "",
      unread ? t("title.chat", { count: unread }) : "",
      // Behind another tab the camera goes on: whoever went to fetch a figure is still met, but must not forget it.
      camera && !looked ? t("title.camera_on") : "",
      may(room(), "speak") && !microphone ? t("title.microphone_off") : "",
    ].filter(Boolean);
    const title = pageTitle({ attention, meeting: meeting.title, brand: meeting.brand });
    if (document.title !== title) document.title = title;
  }

  #tick() {
    const { room, t, answer } = this.#hub;
    const { meeting, me } = room();
    const now = new Date();
    const minutes = minutesIn(meeting.started_at, now);
    const time = clock(now, t("clock.separator"));
    write(byId("room-time"), minutes === null ? time : t("time", { clock: time, minutes }));
    for (const [key, at] of /** @type {const} */ ([["soon_over", meeting.ends_at], ["soon_out", me.session_until]])) {
      if (untilSoon(at, now) !== 0 || this.#told.has(`${key} ${at}`) || this.#over()) continue;
      this.#told.add(`${key} ${at}`);
      answer(t(key), { urgent: true });
    }
  }
}

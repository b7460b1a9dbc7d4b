// @ts-check
// The people on the stage. A tile is made once and only told its new place, so that no picture ever stops for a move.

import { byId, icon, make, one, rove, write } from "./dom.js";
import { arrange, CORNERS, fit, moved, nearest } from "./layout.js";
import { initials, label, seated, self, shownPart } from "./state.js";
import { listed } from "./texts.js";

/** Milliseconds without a new frame after which a still picture is no longer shown as if it lived. */
const STILL = 4000;
/** Milliseconds a tile takes to its new place; tokens.css calls it --calm. */
const CALM = 240;

/** @typedef {{microphone: boolean | null, camera: boolean | null, network?: string}} Media */
/**
 * @typedef {object} Scene
 * @property {Map<string, Media>} media
 * @property {string | null} speaker
 * @property {string | null} large
 * @property {string | null} sharer whose window we are shown
 * @property {boolean} panel
 * @property {boolean} roles
 * @property {boolean} hideSelf
 */
/**
 * @typedef {object} Tile
 * @property {HTMLElement} figure
 * @property {HTMLVideoElement} video
 * @property {MediaStreamTrack | null} track
 * @property {boolean} alive a frame of this person has come
 * @property {number} frames
 * @property {number} framesAt
 * @property {boolean} still
 */

export class Stage {
  #stage = byId("stage");
  #more = make("button", "more");
  #screen = this.#makeScreen();
  /** @type {Map<string, Tile>} */ #tiles = new Map();
  /** @type {string | null} */ pinned = null;
  /** @type {import("./layout.js").Corner} */ #corner = CORNERS[0];
  /** @type {(() => void) | null} */ #settle = null;
  #hub;
  #changed;
  #resized = new ResizeObserver((entries) => {
    for (const { target } of entries) this.#fit(/** @type {HTMLElement} */ (target));
  });

  /**
   * @param {import("./hub.js").Hub} hub
   * @param {{changed: () => void, people: (opener: HTMLElement) => void}} acts
   */
  constructor(hub, { changed, people }) {
    this.#hub = hub;
    this.#changed = changed;
    this.#more.type = "button";
    this.#more.append(make("b"), make("span"));
    this.#more.addEventListener("click", () => people(this.#more));
    this.#more.hidden = true;
    this.#stage.append(this.#screen, this.#more);
    this.#settle = rove(this.#stage, ".press");
    for (const query of ["(min-width: 60rem)", "(max-height: 30rem) and (min-aspect-ratio: 1/1)"]) {
      matchMedia(query).addEventListener("change", changed);
    }
  }

  /** @param {Scene} scene */
  update({ media, speaker, large, sharer, panel, roles, hideSelf }) {
    const room = this.#hub.room();
    const me = self(room);
    const there = seated(room);
    const before = this.#places();
    this.#people([...there, me]);
    const arrangement = arrange({
      me: me.id, others: there.map(({ id }) => id), large, pinned: this.pinned, share: sharer, hideSelf, panel,
      wide: matchMedia("(min-width: 60rem)").matches,
      rail: matchMedia("(max-height: 30rem) and (min-aspect-ratio: 1/1)").matches,
    });
    const cells = [...arrangement.spots.values()].filter((spot) => spot.startsWith("cell")).length + (arrangement.more.length ? 1 : 0);
    Object.assign(this.#stage.dataset, { shape: arrangement.shape, flow: arrangement.flow, cells: String(cells), corner: this.#corner });
    this.#stage.classList.toggle("roles", roles);
    this.#screen.hidden = !arrangement.screen;
    byId("alone").hidden = there.length > 0;

    for (const person of [...there, me]) {
      const mine = person.id === me.id;
      const spot = arrangement.spots.get(person.id);
      this.#tell(person, {
        mine, spot,
        media: media.get(person.id) ?? { microphone: null, camera: null },
        speaks: speaker === person.id,
        pinnable: !mine && there.length > 1,
        movable: mine && spot === "self" && there.length > 0,
      });
    }
    this.#tellMore(arrangement.more, [...there, me], cells);
    if (arrangement.screen) this.#tellScreen(there.find(({ id }) => id === sharer));
    this.#settle?.();
    this.#glide(before);
  }

  /** Show this picture on a person's tile, or none. @param {string} id @param {MediaStreamTrack | null} track */
  setPicture(id, track) {
    const tile = this.#tiles.get(id);
    if (!tile || tile.track === track) return;
    tile.track = track;
    tile.alive = false;
    tile.still = false;
    this.#play(tile.video, track, () => {
      if (tile.track !== track) return;
      tile.alive = true;
      this.#show(tile);
    });
    this.#show(tile);
  }

  /** Show a shared window, or none. @param {MediaStreamTrack | null} track */
  setScreen(track) {
    const video = /** @type {HTMLVideoElement} */ (one(this.#screen, "video"));
    if ((/** @type {MediaStream | null} */ (video.srcObject)?.getVideoTracks()[0] ?? null) === track) return;
    this.#screen.classList.remove("alive");
    this.#play(video, track, () => this.#screen.classList.add("alive"));
  }

  /**
   * Write what was measured on the tiles, and stop showing a picture that has stood still.
   * @param {Map<string, import("./stats.js").Measured>} measured
   */
  measured(measured) {
    const now = performance.now();
    for (const [id, tile] of this.#tiles) {
      const values = measured.get(id);
      if (!values) continue;
      tile.figure.dataset.frames = String(values.frames);
      tile.figure.dataset.audioEnergy = String(values.energy);
      if (values.frames !== tile.frames) {
        tile.frames = values.frames;
        tile.framesAt = now;
      }
      const still = now - tile.framesAt > STILL;
      if (still !== tile.still) {
        tile.still = still;
        this.#show(tile);
      }
    }
  }

  /** @param {string} id */
  pin(id) {
    this.pinned = this.pinned === id ? null : id;
    this.#changed();
  }

  /** Forget a pin on somebody who left. */
  tidy() {
    if (this.pinned && !seated(this.#hub.room()).some(({ id }) => id === this.pinned)) this.pinned = null;
  }

  /** Put the focus on the first tile, or on the stage itself. */
  focus() {
    const press = [...this.#stage.querySelectorAll(".press")].find((stop) => /** @type {HTMLElement} */ (stop).offsetParent !== null);
    (/** @type {HTMLElement | undefined} */ (press) ?? this.#stage).focus();
  }

  /** What a short press of Space does on whatever has the focus. @param {HTMLElement} target */
  press(target) {
    /** @type {HTMLElement | null} */ (target.closest(".press, .more"))?.click();
  }

  /** @param {import("./state.js").Person[]} people */
  #people(people) {
    const present = new Set(people.map(({ id }) => id));
    for (const [id, tile] of this.#tiles) {
      if (present.has(id)) continue;
      tile.video.srcObject = null;
      this.#resized.unobserve(tile.figure);
      tile.figure.remove();
      this.#tiles.delete(id);
    }
    for (const person of people) {
      if (this.#tiles.has(person.id)) continue;
      const tile = this.#make(person);
      this.#tiles.set(person.id, tile);
      // My own tile is read last, wherever it lies.
      const last = person.id === this.#hub.room().me.id ? this.#more : this.#tiles.get(this.#hub.room().me.id)?.figure ?? this.#more;
      this.#stage.insertBefore(tile.figure, last);
      this.#resized.observe(tile.figure);
    }
  }

  /** @param {import("./state.js").Person} person @returns {Tile} */
  #make({ id }) {
    const video = this.#makeVideo();
    const press = make("button", "press");
    press.type = "button";
    press.tabIndex = -1;
    const named = make("figcaption", "name", make("b", "", make("span", "full"), make("span", "given"), icon("mic-off")), make("span", "proof", icon("shield"), make("span", "", make("span", "part"), make("span", "how"))));
    const figure = make(
      "figure", "tile", video,
      make("div", "blank", make("span", "disc")),
      make("p", "onvideo corner weak", icon("weak"), make("span")),
      make("p", "onvideo corner hand", icon("hand"), make("span")),
      make("p", "onvideo corner away", icon("clock"), make("span")),
      named, press,
    );
    figure.dataset.participant = id;
    one(figure, ".blank").setAttribute("aria-hidden", "true");
    video.addEventListener("resize", () => this.#fit(figure));
    press.addEventListener("click", () => {
      if (press.dataset.does === "move") this.#move(CORNERS[(CORNERS.indexOf(this.#corner) + 1) % CORNERS.length]);
      else if (press.dataset.does === "pin") this.pin(id);
    });
    press.addEventListener("keydown", (event) => {
      if (press.dataset.does !== "move" || !event.key.startsWith("Arrow")) return;
      event.preventDefault();
      this.#move(moved(this.#corner, event.key));
    });
    this.#dragging(figure, press);
    return { figure, video, track: null, alive: false, frames: 0, framesAt: performance.now(), still: false };
  }

  /**
   * @param {import("./state.js").Person} person
   * @param {{mine: boolean, spot: string | undefined, media: Media, speaks: boolean, pinnable: boolean, movable: boolean}} now
   */
  #tell(person, { mine, spot, media, speaks, pinnable, movable }) {
    const tile = this.#tiles.get(person.id);
    if (!tile) return;
    const { t } = this.#hub;
    const { figure } = tile;
    figure.hidden = spot === undefined;
    figure.dataset.spot = spot ?? "";
    figure.classList.toggle("mine", mine);
    figure.classList.toggle("speaks", speaks);
    figure.classList.toggle("muted", media.microphone === false);
    figure.classList.toggle("dark", media.camera === false || person.state === "away");
    figure.setAttribute("aria-label", label(person, media, mine, t));
    write(one(figure, ".disc"), initials(person.name));
    write(one(figure, ".full"), mine ? t(spot === "self" ? "you" : "you_named", { name: person.name }) : person.name);
    write(one(figure, ".given"), mine ? t("you") : person.given);
    const [part, how] = [shownPart(person), person.verified];
    write(one(figure, ".part"), part);
    write(one(figure, ".how"), part && how ? `, ${how}` : how);
    one(figure, ".proof").hidden = !part && !how;
    const away = one(figure, ".away");
    away.hidden = mine || person.state !== "away";
    write(one(away, "span"), t("tile.away_word"));
    const weak = one(figure, ".weak");
    weak.hidden = !away.hidden || media.network !== "weak" && media.network !== "sound_only";
    write(one(weak, "span"), t(media.network === "sound_only" ? "tile.sound_only_word" : "tile.weak_word"));
    const hand = one(figure, ".hand");
    hand.hidden = !person.hand || !away.hidden;
    write(one(hand, "span"), t("tile.hand_word"));

    const press = /** @type {HTMLButtonElement} */ (one(figure, ".press"));
    press.hidden = !pinnable && !movable;
    press.dataset.does = movable ? "move" : "pin";
    const pinned = this.pinned === person.id;
    figure.classList.toggle("pinned", pinned);
    press.setAttribute("aria-label", movable ? t("tile.move") : t("tile.make_large", { name: person.name }));
    if (movable) press.removeAttribute("aria-pressed");
    else press.setAttribute("aria-pressed", String(pinned));
    this.#show(tile);
  }

  /** A picture is shown only while it is that person's, alive and wanted; otherwise two letters. @param {Tile} tile */
  #show({ figure, track, alive, still }) {
    const own = figure.classList.contains("mine");
    figure.classList.toggle("pictured", track !== null && alive && (own || (!still && !figure.classList.contains("dark"))));
  }

  /** @param {string[]} ids @param {import("./state.js").Person[]} people @param {number} cell */
  #tellMore(ids, people, cell) {
    const names = people.filter(({ id }) => ids.includes(id)).map(({ id, given }) => (id === this.#hub.room().me.id ? this.#hub.t("you_among") : given));
    this.#more.hidden = ids.length === 0;
    this.#more.dataset.spot = `cell${cell}`;
    write(one(this.#more, "b"), `+${ids.length}`);
    write(one(this.#more, "span"), names.length ? listed(names, this.#hub.language) : "");
  }

  #makeScreen() {
    const figure = make("figure", "tile screen", this.#makeVideo(), make("p", "blank"));
    figure.hidden = true;
    figure.dataset.spot = "screen";
    return figure;
  }

  /** @param {import("./state.js").Person | undefined} sharer */
  #tellScreen(sharer) {
    if (!sharer) return;
    this.#screen.setAttribute("aria-label", this.#hub.t("share.window_of", { name: sharer.name }));
    write(one(this.#screen, ".blank"), this.#hub.t("share.coming"));
  }

  #makeVideo() {
    const video = make("video", "picture");
    video.muted = true;
    video.autoplay = true;
    video.playsInline = true;
    video.disablePictureInPicture = true;
    video.tabIndex = -1;
    return video;
  }

  /** @param {HTMLVideoElement} video @param {MediaStreamTrack | null} track @param {() => void} seen the first frame is shown */
  #play(video, track, seen) {
    video.srcObject = track ? new MediaStream([track]) : null;
    if (!track) return;
    // Until its first own frame a reused slot may hold the last picture of somebody else.
    if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(seen);
    else /** @type {HTMLVideoElement} */ (video).addEventListener("loadeddata", seen, { once: true });
    video.play().catch(() => {});
  }

  /** @param {HTMLElement} figure */
  #fit(figure) {
    const video = /** @type {HTMLVideoElement} */ (figure.querySelector("video"));
    const tile = { width: figure.clientWidth, height: figure.clientHeight };
    figure.dataset.fit = fit({ width: video.videoWidth, height: video.videoHeight }, tile);
    figure.classList.toggle("small", tile.width < 170 || tile.height < 110);
    figure.classList.toggle("middling", tile.width < 250);
  }

  /** @param {import("./layout.js").Corner} corner */
  #move(corner) {
    if (corner === this.#corner) return;
    const before = this.#places();
    this.#corner = corner;
    this.#stage.dataset.corner = corner;
    this.#glide(before);
    this.#hub.say(this.#hub.t(`corner.${corner}`));
  }

  /** Let the own picture be dragged to a corner. @param {HTMLElement} figure @param {HTMLElement} press */
  #dragging(figure, press) {
    /** @type {{x: number, y: number} | null} */
    let from = null;
    let dragged = false;
    press.addEventListener("pointerdown", (event) => {
      if (press.dataset.does !== "move") return;
      from = { x: event.clientX, y: event.clientY };
      dragged = false;
      press.setPointerCapture(event.pointerId);
    });
    press.addEventListener("pointermove", ({ clientX, clientY }) => {
      if (!from) return;
      const [x, y] = [clientX - from.x, clientY - from.y];
      if (!dragged && Math.hypot(x, y) < 8) return;
      dragged = true;
      figure.style.translate = `${x}px ${y}px`;
    });
    const drop = (/** @type {PointerEvent} */ { clientX, clientY, type }) => {
      if (!from) return;
      from = null;
      if (dragged && type === "pointerup") this.#move(nearest({ x: clientX, y: clientY }, this.#stage.getBoundingClientRect()));
      figure.style.translate = "";
    };
    press.addEventListener("pointerup", drop);
    press.addEventListener("pointercancel", drop);
    press.addEventListener("click", (event) => {
      if (dragged) event.stopImmediatePropagation();
      dragged = false;
    }, { capture: true });
  }

  #places() {
    return new Map([...this.#tiles].map(([id, { figure }]) => [id, figure.hidden ? null : figure.getBoundingClientRect()]));
  }

  /** Move the tiles from where they were. @param {Map<string, DOMRect | null>} before */
  #glide(before) {
    if (document.hidden || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    for (const [id, { figure }] of this.#tiles) {
      const from = before.get(id);
      if (!from || !from.width || figure.hidden) continue;
      const to = figure.getBoundingClientRect();
      if (Math.abs(from.left - to.left) + Math.abs(from.top - to.top) + Math.abs(from.width - to.width) < 2 || !to.width) continue;
      const start = `translate(${from.left - to.left}px, ${from.top - to.top}px) scale(${from.width / to.width}, ${from.height / to.height})`;
      figure.animate([{ transform: start, transformOrigin: "0 0" }, { transform: "none", transformOrigin: "0 0" }], { duration: CALM, easing: "cubic-bezier(.2, .7, .2, 1)" });
    }
  }
}


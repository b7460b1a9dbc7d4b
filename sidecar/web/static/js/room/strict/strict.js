// @ts-check
// Encrypted all the way: this page seals what it sends and opens what it gets, keys change whenever somebody comes or goes,
// and the parties can compare a code. The server's picture of the room says who holds which key; everything follows from it.

import { byId, keep, make, one, write } from "../dom.js";
import { holder } from "../slots.js";
import { others } from "../state.js";
import { code, fingerprint, Keys } from "./keys.js";

/** Milliseconds: until the others have surely been given a new key, between two tries to hand one over, and two looks at a wrong seat. */
const GRACE = 400;
const AGAIN = 1000;
const LOOK = 1500;

/** True where this browser can encrypt all the way (RTCRtpScriptTransform, WebRTC Encoded Transform). */
export const able = () => "RTCRtpScriptTransform" in globalThis && Boolean(globalThis.crypto?.subtle);

export class Strict {
  #hub;
  #wiring;
  /** @type {Worker | null} */ #worker = null;
  /** @type {Keys | null} */ #keys = null;
  /** Whom our newest key was made for, "" before the first. */ #given = "";
  /** @type {Map<string, string>} what each of the others last wrapped for us, so that it is unwrapped once */ #taken = new Map();
  /** @type {Map<string, string>} receive slot -> whose frames came where another was seated */ #suspect = new Map();
  /** @type {Promise<void> | null} one exchange at a time */ #busy = null;
  /** The room changed since it was last looked at. */ #news = false;
  #connected = false;
  #codeOf = "";

  /**
   * @param {import("../hub.js").Hub} hub
   * @param {{protect: (attach: (end: any, side: "send" | "receive", line: number) => void) => void, mid: (line: number) => string | undefined, seats: () => Map<string, import("../slots.js").Mids>,
   *   post: (path: string, body: unknown) => Promise<boolean>, unable: () => void, stranger: () => void}} wiring
   */
  constructor(hub, wiring) {
    this.#hub = hub;
    this.#wiring = wiring;
  }

  get on() {
    return this.#hub.room().meeting.encryption === "strict";
  }

  /** The media stands, or does not. @param {boolean} connected */
  linked(connected) {
    this.#connected = connected;
    // Whoever joins again is somebody new to the server: the key is given anew.
    if (!connected) this.#given = "";
    this.update();
  }

  /** Follow the room: called whenever anything of it changed. */
  update() {
    if (!this.on) return;
    if (!able()) {
      this.#wiring.unable();
      return;
    }
    if (!this.#worker) this.#begin();
    this.#news = true;
    if (this.#connected && !this.#busy) this.#busy = this.#exchange().finally(() => { this.#busy = null; });
    void this.#show();
  }

  #begin() {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.#worker = worker;
    worker.addEventListener("message", ({ data }) => {
      this.#compare(this.#wiring.mid(data.line) ?? "", data.owner);
    });
    const Transform = /** @type {any} */ (globalThis).RTCRtpScriptTransform;
    this.#wiring.protect((end, side, line) => { end.transform = new Transform(worker, { side, line }); });
  }

  /** Take the others' keys and give them ours, until nothing is left to do. */
  async #exchange() {
    const { me, meeting } = this.#hub.room();
    this.#keys ??= await Keys.make({ me: me.id, meeting: meeting.id });
    while (this.#news && this.#connected) {
      this.#news = false;
      const present = others(this.#hub.room()).filter(({ key }) => key);
      await this.#take(present);
      const wanted = JSON.stringify(present.map(({ id, key }) => [id, key]).sort());
      if (wanted === this.#given) continue;
      const { frame, sealed } = await this.#keys.fresh(/** @type {{id: string, key: string}[]} */ (present));
      if (!(await this.#wiring.post("key", { key: this.#keys.own, sealed }))) {
        this.#news = true;
        await pause(AGAIN);
        continue;
      }
      // Before anybody else is here the key can be used at once; a change waits for the others to have it.
      if (this.#given) await pause(GRACE);
      this.#given = wanted;
      this.#worker?.postMessage({ type: "send", key: frame });
      this.#worker?.postMessage({ type: "forget", owners: present.map(({ id }) => id) });
    }
  }

  /** @param {import("../state.js").Person[]} present */
  async #take(present) {
    for (const { id, key, sealed } of present) {
      if (!key || !sealed || this.#taken.get(id) === sealed) continue;
      this.#taken.set(id, sealed);
      try {
        const got = await /** @type {Keys} */ (this.#keys).unwrap({ id, key }, sealed);
        this.#worker?.postMessage({ type: "receive", key: got, owner: id });
      } catch {
        // Made for another key of ours, before this page was loaded: they will make a new one when they see ours.
      }
    }
  }

  /** People sit in other slots now: see anew whose frames come in them. */
  seated() {
    this.#worker?.postMessage({ type: "again" });
  }

  /** The bridge says who sits in a slot, the key says whose frames came: a second look tells a change from a lie. @param {string} mid @param {string} owner */
  #compare(mid, owner) {
    const seat = holder(this.#wiring.seats(), mid)?.participant;
    const found = `${owner} ${seat}`;
    if (seat === undefined || seat === owner) this.#suspect.delete(mid);
    else if (this.#suspect.get(mid) === found) this.#wiring.stranger();
    else {
      this.#suspect.set(mid, found);
      setTimeout(() => this.seated(), LOOK);
    }
  }

  /** The panel: the code, and whose keys these are. */
  async #show() {
    const { room, t } = this.#hub;
    const { me, meeting, people } = room();
    const holders = people.filter(({ id, key, state }) => key && (state === "in_room" || id === me.id));
    const known = /** @type {import("./keys.js").Holder[]} */ (holders.map(({ id, name, level = "", key = "" }) => ({ id, name, level, key })));
    const now = JSON.stringify(known);
    if (now === this.#codeOf) return;
    this.#codeOf = now;
    const [groups, prints] = await Promise.all([
      known.length > 1 ? code(meeting.id, known) : null, Promise.all(known.map(({ key }) => fingerprint(key))),
    ]);
    if (now !== this.#codeOf) return;
    byId("code").hidden = groups === null;
    byId("code-alone").hidden = groups !== null;
    write(byId("code"), groups?.join(" ") ?? "");
    const rows = holders.map((person, n) => ({ ...person, print: prints[n] }));
    keep(byId("key-holders"), rows, ({ id }) => id, () => make("li", "", make("strong", "", ""), make("span", "quiet", ""), make("code", "num small", "")), (row, person) => {
      write(one(row, "strong"), person.id === me.id ? t("you_named", { name: person.name }) : person.name);
      write(one(row, "span"), person.verified);
      write(one(row, "code"), person.print);
    });
  }
}

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

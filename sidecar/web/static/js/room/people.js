// @ts-check
// Who waits and who is here, with the verified name first; and what this person may do about it.

import { button, byId, icon, keep, make, one, write } from "./dom.js";
import { clock } from "./clock.js";
import { initials, may, proof, self } from "./state.js";

export class People {
  #hub;
  #waiting = byId("waiting-list");
  #here = byId("here-list");

  /** @param {import("./hub.js").Hub} hub */
  constructor(hub) {
    this.#hub = hub;
  }

  /** @param {Map<string, import("./tiles.js").Media>} media */
  update(media) {
    const room = this.#hub.room();
    const { t } = this.#hub;
    const waiting = room.lobby ?? [];
    byId("waiting").hidden = !may(room, "admit");
    byId("waiting-none").hidden = waiting.length > 0;
    keep(this.#waiting, waiting, ({ id }) => id, (person) => this.#knock(person), (element, person) => {
      element.classList.toggle("away", Boolean(person.away_since));
      const at = person.away_since || person.since;
      const key = person.away_since ? "people.away_since" : "people.since";
      write(one(element, "[data-since]"), at ? t(key, { clock: clock(new Date(at), t("clock.separator")) }) : "");
    });

    const present = [...room.people.filter(({ id, state }) => state !== "left" && id !== room.me.id), self(room)];
    keep(this.#here, present, ({ id }) => id, (person) => this.#person(person), (element, person) => this.#tell(element, person, media.get(person.id)));
  }

  /** Let somebody in or not. @param {"admit" | "deny"} verdict @param {{id: string, name: string}} person */
  async decide(verdict, { id, name }) {
    const { room, t } = this.#hub;
    const away = verdict === "admit" && Boolean(room().lobby?.find((one) => one.id === id)?.away_since);
    if (away || verdict === "deny") {
      const said = (/** @type {string} */ part) => t(`${away ? "admit_away" : "deny"}.${part}`, { name });
      if (!(await this.#hub.ask({ title: said("title"), text: said("text"), stay: said("stay"), go: said("go") }))) return;
    }
    await this.#hub.act(verdict, { participant: id, ...(away ? { though_away: true } : {}) });
  }

  /** @param {import("./state.js").Waiting} person */
  #knock(person) {
    const { t } = this.#hub;
    const admit = button("btn main staff", "door", t("people.admit"), () => void this.decide("admit", person));
    const deny = button("btn plain staff", "", t("people.deny"), () => void this.decide("deny", person));
    admit.setAttribute("aria-label", `${t("people.admit")}, ${person.name}`);
    deny.setAttribute("aria-label", `${t("people.deny")}, ${person.name}`);
    const since = make("span", "quiet small num");
    since.dataset.since = "";
    return make(
      "li", "waiting",
      this.#who(person.name, [person.capacity_label, person.verified].filter(Boolean).join(", ")), since,
      make("div", "acts", admit, deny),
    );
  }

  /** @param {import("./state.js").Person} person */
  #person(person) {
    const room = this.#hub.room();
    const { t } = this.#hub;
    const row = make("li", "", this.#who(person.name, proof(person), person.id === room.me.id ? t("you_named", { name: person.name }) : ""), make("ul", "states"));
    if (person.id !== room.me.id) row.append(this.#acts(person));
    return row;
  }

  /** @param {string} name @param {string} verified @param {string} [shown] what stands for the name, "" for itself */
  #who(name, verified, shown = "") {
    const disc = make("span", "disc", initials(name));
    disc.setAttribute("aria-hidden", "true");
    return make("div", "who", disc, make("div", "", make("strong", "", shown || name), make("span", "proof", icon("shield"), verified)));
  }

  /** What a moderator can do; each row of buttons is remade when the permissions change. @param {import("./state.js").Person} person */
  #acts(person) {
    const { t } = this.#hub;
    const acts = make("div", "acts");
    /** @type {[string, string, string, () => Promise<unknown>][]} */
    const all = [
      ["mute_others", "audio", t("people.mute_audio"), () => this.#mute(person, "audio")],
      ["mute_others", "video", t("people.mute_video"), () => this.#mute(person, "video")],
      ["mute_others", "share", t("people.mute_share"), () => this.#mute(person, "share")],
      ["admit", "send_back", t("people.send_back"), () => this.#hub.act("send-back", { participant: person.id })],
      ["expel", "expel", t("people.expel"), () => this.#expel(person)],
    ];
    for (const [permission, name, word, act] of all) {
      const press = button("link", "", word, () => void act());
      press.setAttribute("aria-label", `${word}, ${person.name}`);
      press.dataset.needs = permission;
      press.dataset.act = name;
      acts.append(press);
    }
    return acts;
  }

  /** @param {HTMLElement} row @param {import("./state.js").Person} person @param {import("./tiles.js").Media | undefined} media */
  #tell(row, person, media) {
    const room = this.#hub.room();
    const { t } = this.#hub;
    /** @type {[string, string][]} */
    const states = [];
    if (person.state === "admitted") states.push(["clock", t("people.on_the_way")]);
    if (person.state === "away") states.push(["clock", t("people.away")]);
    if (person.hand) states.push(["hand", t("tile.hand_word")]);
    if (person.sharing) states.push(["share", t("people.shares")]);
    if (media?.microphone === false || person.muted) states.push(["mic-off", t("people.mic_off")]);
    keep(one(row, ".states"), states, ([picture]) => picture, ([picture, word]) => make("li", "chip", icon(picture), word));
    for (const press of /** @type {NodeListOf<HTMLElement>} */ (row.querySelectorAll("[data-needs]"))) {
      const pointless = (press.dataset.act === "audio" && media?.microphone === false)
        || (press.dataset.act === "video" && media?.camera === false)
        || (press.dataset.act === "share" && !person.sharing)
        || (press.dataset.act === "send_back" && ["adviser", "specialist"].includes(person.capacity));
      press.hidden = !may(room, press.dataset.needs ?? "") || person.state !== "in_room" && press.dataset.act !== "expel" || pointless;
    }
  }

  /** @param {import("./state.js").Person} person @param {"audio" | "video" | "share"} kind */
  async #mute(person, kind) {
    if (await this.#hub.act("mute", { participant: person.id, kind })) this.#hub.say(this.#hub.t(`muted_now.${kind}`, { name: person.name }));
  }

  /** @param {import("./state.js").Person} person */
  async #expel({ id, name, given }) {
    const { t } = this.#hub;
    const sure = await this.#hub.ask({ title: t("expel.title", { name }), text: t("expel.text", { given }), stay: t("expel.stay", { given }), go: t("expel.go") });
    if (sure) await this.#hub.act("expel", { participant: id });
  }
}

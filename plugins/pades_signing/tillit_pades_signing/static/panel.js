// @ts-check
// The signing panel: what is to be signed and by whom, what must still be read, one's own signature, and the copy.

import { Try } from "./act.js";
import { button, el } from "./dom.js";
import { request } from "./request.js";

const KINDS = ["opened", "begun", "failed", "signed", "declined", "expired", "withdrawn", "completed", "sealed", "preserved", "parties"];
const ACTED = ["signing", "signed", "declined"]; // a party's states that say what was done, to sign or to approve
const OVER = ["signed", "sealed", "preserved", "declined", "expired", "withdrawn"];

/** Says it where the person is, when it is their turn, whatever panel is open. @param {any} api */
export function attach(api) {
  let told = "";
  let takeBack = () => {};
  let looks = 0;
  const look = async () => {
    const at = ++looks;
    const { signings } = await api.fetchJson("GET", "signings");
    if (at !== looks) return; // a newer look is under way, and this answer may be the older one
    const mine = signings.find((/** @type {any} */ each) => each.me && each.me.held_back === null);
    if (!mine) takeBack();
    else if (mine.id !== told) {
      told = mine.id;
      takeBack = api.notice(api.t(mine.act === "approve" ? "panel.your_turn_approve" : "panel.your_turn", { title: mine.title }));
      if (!api.isOpen()) api.open("signing");
    }
  };
  for (const kind of ["opened", "signed", "declined", "withdrawn", "expired"]) api.on(`pades_signing.${kind}`, () => void look().catch(() => undefined));
  api.on("connected", () => void look().catch(() => undefined)); // what was announced before the line stood was heard by nobody
  void look().catch(() => undefined);
}

/** @param {HTMLElement} section @param {any} api */
export async function mount(section, api) {
  const panel = new SigningPanel(section, api);
  await panel.load();
  for (const kind of KINDS) api.on(`pades_signing.${kind}`, () => void panel.load());
  api.on("document_room.seen", () => void panel.load());
  api.on("connected", () => void panel.load());
  return { shown: () => void panel.load() };
}

class SigningPanel {
  #section; #api;
  #list = el("div", { class: "stack-l" });
  #extra = el("div", {});
  /** @type {Map<string, Card>} */ #cards = new Map();
  #empty;

  /** @param {HTMLElement} section @param {any} api */
  constructor(section, api) {
    this.#section = section;
    this.#api = api;
    this.#empty = el("p", { class: "quiet" }, api.t("panel.empty"));
    section.classList.add("signing");
    section.replaceChildren(this.#empty, this.#list, this.#extra);
  }

  async load() {
    let state;
    try {
      state = await this.#api.fetchJson("GET", "signings");
    } catch (problem) {
      if (!this.#api.signal?.aborted) this.#api.notice(/** @type {any} */ (problem).sentence ?? this.#api.t("panel.lost"));
      return;
    }
    this.#empty.hidden = state.signings.length > 0 || state.may_open;
    for (const signing of [...state.signings].reverse()) { // the newest comes first, and each new one goes on top
      const known = this.#cards.get(signing.id);
      if (known) known.update(signing);
      else {
        const card = new Card(this.#api, signing, () => void this.load());
        this.#cards.set(signing.id, card);
        this.#list.prepend(card.element);
      }
    }
    if (state.may_open) request(this.#api, this.#extra, state, () => void this.load());
  }
}

class Card {
  #api; #reload;
  #head = el("div", { class: "stack" });
  #act = el("div", { class: "act" });
  #parties = el("div", {});
  #foot = el("div", { class: "stack-s" });
  /** @type {Try | null} */ #try = null;
  #drawn = "";
  #asked = false;

  /** @param {any} api @param {any} signing @param {() => void} reload */
  constructor(api, signing, reload) {
    this.#api = api;
    this.#reload = reload;
    this.element = el("article", { class: "stack deed", "aria-labelledby": `deed-${signing.id}` }, this.#head, this.#act, this.#parties, this.#foot);
    this.update(signing);
  }

  /** @param {any} signing */
  update(signing) {
    this.signing = signing;
    this.#head.replaceChildren(...this.#facts());
    this.#parties.replaceChildren(this.#who());
    if (this.#try && OVER.includes(signing.state)) {
      this.#try.leave();
      this.#try = null;
    }
    if (!this.#try) this.#offer();
    this.#foot.replaceChildren(...this.#end());
  }

  /** A sentence as this act has it: what approves does not sign. @param {string} key @param {Record<string, any>} [params] */
  #t(key, params) {
    return this.#api.t(this.signing.act === "approve" ? `${key}_approve` : key, params);
  }

  #facts() {
    const { t } = this.#api;
    const signing = this.signing;
    const about = !signing.me ? "panel.new.name" : signing.act === "approve" ? "panel.you_approve" : "panel.you_sign";
    const rows = signing.documents.flatMap((/** @type {any} */ each) => [
      [t(about), t("panel.document", each)],
      [t("panel.control"), el("code", {}, each.control)],
    ]);
    if (signing.amount) rows.push([t("panel.amount"), signing.amount]);
    if (signing.needed < signing.parties.length) rows.push(["", t("panel.needed", { needed: signing.needed, of: signing.parties.length })]);
    if (signing.state === "open") rows.push([t("panel.deadline"), signing.deadline_said]);
    return [
      el("h3", { id: `deed-${signing.id}` }, signing.title),
      signing.text ? el("p", {}, signing.text) : el("span", { hidden: true }),
      el("div", { class: "receipt" }, el("dl", { class: "pairs" }, ...rows.flatMap(([label, value]) => [el("dt", {}, label), el("dd", {}, value)]))),
    ];
  }

  #who() {
    const { t } = this.#api;
    const items = this.signing.parties.map((/** @type {any} */ each) =>
      el("li", { "data-state": each.state },
        el("span", { class: "box" }, each.state === "signed" ? this.#api.icon("check") : each.state === "declined" ? this.#api.icon("x") : String(each.turn)),
        el("span", {}, el("b", {}, each.is_me ? t("panel.you", { name: each.name }) : each.name),
          el("span", { class: "quiet small state" }, ACTED.includes(each.state) ? this.#t(`panel.state.${each.state}`, { at: each.at_said ?? "" }) : t(`panel.state.${each.state}`)))));
    return el("div", { class: "stack-s" }, el("h4", {}, this.#t("panel.parties")), el("ol", { class: "marks" }, ...items));
  }

  /** What this person can do now: read, sign, wait. Drawn anew only when that changes, so that focus stays. */
  #offer() {
    const { me, state } = this.signing;
    const now = JSON.stringify([me, state]);
    if (now === this.#drawn) return;
    this.#drawn = now;
    delete this.#act.dataset.kind;
    this.#act.replaceChildren();
    if (!me || me.held_back === "already_signed") return;
    const { t } = this.#api;
    if (me.held_back === "not_your_turn") return;
    if (me.held_back) return;
    if (me.signing && !this.#asked) {
      const method = me.methods.find((/** @type {any} */ each) => each.name === me.method);
      if (method) {
        this.#asked = true;
        this.#begin((/** @type {Try} */ one) => one.resume(method));
        return;
      }
    }
    if (me.missing.length) {
      const clauses = me.missing.reduce((/** @type {number} */ sum, /** @type {any} */ each) => sum + each.clauses.length, 0);
      this.#act.append(
        el("p", { class: "note caution" }, this.#api.icon("eye"), el("span", {}, clauses ? this.#t("panel.missing.one", { count: clauses }) : this.#t("panel.missing.pages"))),
        button(t("panel.open_document"), "main wide", () => this.#api.open("documents"), this.#api.icon("doc")));
    } else if (me.methods.length === 0) {
      this.#act.append(el("p", { class: "note caution" }, this.#api.icon("info"), el("span", {}, t("panel.no_method"))));
    } else {
      const words = this.signing.act === "approve" ? "panel.approve_with" : "panel.with";
      me.methods.forEach((/** @type {any} */ method, /** @type {number} */ at) =>
        this.#act.append(button(t(words, { method: method.title }), at ? "line wide" : "main wide", () => this.#begin((one) => one.begin(method)), this.#api.icon("pen"))));
    }
    this.#act.append(button(this.#t("panel.decline"), "plain wide", () => void this.#decline()));
  }

  /** @param {(one: Try) => Promise<void>} how */
  #begin(how) {
    this.#try = new Try(this.#api, this.signing, this.#act, (step) => this.#ended(step));
    void how(this.#try);
  }

  /** @param {import("./act.js").Step | null} step */
  #ended(step) {
    this.#try = null;
    this.#drawn = "";
    if (step?.signing) this.update(step.signing);
    else {
      this.#offer();
      this.#reload();
    }
    if (!step) return;
    const told = el("p", { class: step.status === "complete" ? "note ok" : "note caution", role: "status", tabindex: "-1" },
      this.#api.icon(step.status === "complete" ? "check" : "info"), el("span", {}, step.message));
    this.#act.prepend(told);
    told.focus();
  }

  async #decline() {
    const { t } = this.#api;
    const sure = await this.#api.ask({ title: this.#t("panel.decline"), text: t("panel.decline_sure"), stay: t("panel.decline_no"), go: this.#t("panel.decline_yes") });
    if (sure) await this.#do("decline");
  }

  /** @param {string} what */
  async #do(what) {
    try {
      this.update(await this.#api.fetchJson("POST", `signings/${this.signing.id}/${what}`, {}));
    } catch (problem) {
      this.#api.notice(/** @type {any} */ (problem).sentence ?? this.#api.t("panel.lost"), { urgent: true });
      this.#reload();
    }
  }

  #end() {
    const { t } = this.#api;
    const { state, mine, me, documents } = this.signing;
    const parts = [];
    const said = { signed: this.#t("panel.status.signed"), sealed: this.#t("panel.status.sealed"), preserved: t("panel.status.preserved") };
    if (state in said) {
      const words = [said[/** @type {"signed"} */ (state)], me?.copy ? t(`panel.copy.${me.copy}`) : ""];
      parts.push(el("p", { class: "note ok", role: "status" }, this.#api.icon("seal"), el("span", {}, words.join(" ").trim())));
    }
    const refused = { declined: "panel.over.declined", expired: "panel.over.expired", withdrawn: "panel.over.withdrawn" };
    if (state in refused) parts.push(el("p", { class: "note caution", role: "status" }, this.#api.icon("info"), el("span", {}, t(refused[/** @type {"declined"} */ (state)]))));
    for (const each of documents) {
      if (each.copy && (me || mine)) {
        parts.push(el("a", { class: "btn line wide", href: this.#api.url(`signings/${this.signing.id}/documents/${each.id}/copy`), download: true },
          this.#api.icon("down"), documents.length > 1 ? t("panel.copy_of", each) : t("panel.copy")));
      }
    }
    if (mine && state === "open") parts.push(button(t("panel.withdraw"), "plain staff", () => void this.#do("withdraw")));
    return parts;
  }
}

// @ts-check
// The meeting room on Jitsi: our buttons, panels and lines as in every room, and Jitsi Meet where the tiles would be.

import { byId } from "../dom.js";
import { judged, SHARING } from "../share.js";
import { Shell } from "../shell.js";
import { may, mayAny, others, refusal } from "../state.js";
import { Frame } from "./frame.js";

/** @type {Map<string, import("../tiles.js").Media>} what the frame says that others send */
const heard = new Map();

// The parts ---------------------------------------------------------------------------------------

/** @type {Shell} */
const shell = new Shell({
  devices: {
    on: (source) => frame.on(source),
    asking: () => false,
    // The devices are the frame's; the level of the microphone is not ours to hear.
    track: () => null,
    async turn(source, on) { frame.turn(source, on); },
    async choose(source, id) { frame.choose(source, id); },
    list: () => frame.devices(),
  },
  share: () => ({ active: frame.sharing, toggle: () => frame.toggleShare(), stop: endShare }),
  tiles: false,
  speaker: (id) => frame.choose("speaker", id),
  hideSelf: () => {},
  quiet: () => frame.stop(),
  linked: () => {},
  renewed: (gone) => gone.forEach((id) => heard.delete(id)),
  draw,
  focus: () => byId("stage").focus(),
  press: () => {},
});
const { hub } = shell;
const { t } = hub;
for (const id of ["level", "hide-self"]) /** @type {HTMLElement} */ (byId(id).closest(".field, .tick")).hidden = true;
const frame = new Frame(JSON.parse(byId("jitsi").textContent ?? "{}"), { parent: byId("frame"), title: t("stage"), lang: hub.language }, {
  token: (run) => shell.token(run),
  state: (link) => shell.linked(link),
  refused: (problem) => shell.exit.end(problem.sentence),
  changed: () => shell.changed(),
  shared: (surface) => void shared(surface),
  trouble: (source) => hub.answer(t(`device.${source}.failed`)),
  announced: (text) => hub.answer(text, { urgent: true }),
  media(place, source, on) {
    const known = heard.get(place) ?? { microphone: null, camera: null };
    heard.set(place, { ...known, [source]: on });
    shell.draw();
  },
});

// Sharing -----------------------------------------------------------------------------------------

/** @param {string} [sentence] why, when it was not the person's own wish */
function endShare(sentence) {
  frame.endShare();
  if (sentence) hub.answer(sentence, { urgent: true });
}

let told = false;
/** A share began or ended. The server hears what is shown, and what may not be shown ends here. @param {string} surface */
async function shared(surface) {
  if (!surface) {
    if (told) await hub.act("share", { action: "stop", surface: "window" });
    told = false;
    return;
  }
  const verdict = mayAny(shell.room, SHARING) ? judged(surface, may(shell.room, "share_screen")) : "unknown";
  if (verdict === "allowed") {
    told = (await hub.act("share", { action: "start", surface })) !== null;
    if (!told) frame.endShare();
    return;
  }
  frame.endShare();
  // The server writes the refusal down, and its sentence names the meeting type.
  const said = verdict === "screen" && !(await hub.act("share", { action: "start", surface: "monitor" }));
  if (!said) hub.answer(refusal(shell.room, SHARING) || t(verdict === "screen" ? "share.only_window" : "share.unknown"), { urgent: true });
}

// What is shown -----------------------------------------------------------------------------------

function draw() {
  const { room, link } = shell;
  byId("alone").hidden = others(room).length > 0 || link !== "connected";
  const mine = { microphone: frame.on("microphone"), camera: frame.on("camera") };
  const sharer = others(room).find(({ sharing }) => sharing)?.id ?? null;
  return { media: new Map([...heard, [room.me.id, mine]]), sharer };
}

// The start ---------------------------------------------------------------------------------------

frame.start();
shell.start();

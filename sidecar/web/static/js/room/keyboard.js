// @ts-check
// Keys for the whole page. Single keys are off until switched on (WCAG 2.1.4) and never work inside a field.

/** @typedef {"camera" | "microphone" | "share" | "documents" | "menu" | "keys" | "cycle" | "cycle-back" | "close"} Command */

/** @type {Record<string, Command>} */
const SINGLE = { 1: "camera", 2: "microphone", 3: "share", 4: "documents", 0: "menu", "?": "keys" };

/**
 * What a key asks for, or null.
 * @param {{key: string, shiftKey: boolean, ctrlKey: boolean, altKey: boolean, metaKey: boolean}} event
 * @param {{inField: boolean, single: boolean, boxOpen: boolean}} page boxOpen: a question is being asked
 * @returns {Command | null}
 */
export function command({ key, shiftKey, ctrlKey, altKey, metaKey }, { inField, single, boxOpen }) {
  if (boxOpen || ctrlKey || altKey || metaKey) return null;
  if (key === "F6") return shiftKey ? "cycle-back" : "cycle";
  if (key === "Escape") return "close";
  return single && !inField ? SINGLE[key] ?? null : null;
}

/**
 * @typedef {object} Acts
 * @property {() => boolean} single single keys are switched on
 * @property {() => void} close
 * @property {() => void} menu
 * @property {() => void} keys
 * @property {(name: "camera" | "microphone" | "share" | "documents") => void} press
 * @property {() => {area: HTMLElement, focus: () => void}[]} areas what F6 goes round
 */

/** Listen to the whole page. @param {Acts} acts */
export function shortcuts(acts) {
  addEventListener("keydown", (event) => {
    const asked = command(event, { inField: isField(event.target), single: acts.single(), boxOpen: document.querySelector("dialog[open]") !== null });
    if (asked === null) return;
    if (asked === "close") {
      acts.close();
      return;
    }
    event.preventDefault();
    if (asked === "cycle" || asked === "cycle-back") cycle(acts.areas(), asked === "cycle-back");
    else if (asked === "menu" || asked === "keys") acts[asked]();
    else acts.press(asked);
  });
}

/** Stage, panel, buttons, and round again. @param {{area: HTMLElement, focus: () => void}[]} areas @param {boolean} back */
function cycle(areas, back) {
  const at = areas.findIndex(({ area }) => area.contains(document.activeElement));
  const to = at < 0 ? (back ? areas.length - 1 : 0) : (at + (back ? -1 : 1) + areas.length) % areas.length;
  areas[to].focus();
}

/** True where typing means writing. @param {EventTarget | null} target */
const isField = (target) => target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;

/** Milliseconds that tell a press from holding. */
export const HOLD = 300;

/**
 * Space on the stage: held, it opens the microphone for as long; pressed, it does what the tile does.
 * @param {HTMLElement} stage
 * @param {{speak: (on: boolean) => void, press: (target: HTMLElement) => void}} acts
 */
export function holdToSpeak(stage, { speak, press }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let speaking = false;
  const end = () => {
    clearTimeout(timer);
    timer = undefined;
    if (!speaking) return;
    speaking = false;
    speak(false);
  };
  stage.addEventListener("keydown", (event) => {
    if (event.key !== " " || isField(event.target)) return;
    event.preventDefault();
    if (event.repeat || timer !== undefined || speaking) return;
    timer = setTimeout(() => {
      speaking = true;
      speak(true);
    }, HOLD);
  });
  stage.addEventListener("keyup", (event) => {
    if (event.key !== " ") return;
    event.preventDefault();
    const short = timer !== undefined && !speaking;
    end();
    if (short) press(/** @type {HTMLElement} */ (event.target));
  });
  // A key let go elsewhere would leave the microphone open.
  stage.addEventListener("focusout", end);
  addEventListener("blur", end);
}

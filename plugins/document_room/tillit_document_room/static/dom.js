// @ts-check
// Small hands for the panel's own elements. Text goes in as text: nothing here reads HTML.

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [className]
 * @param {...(Node | string | null)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(.../** @type {(Node | string)[]} */ (children.filter((child) => child !== null)));
  return element;
}

/**
 * @param {string} className
 * @param {(Node | string)[]} children
 * @param {(event: MouseEvent) => unknown} pressed
 */
export function button(className, children, pressed) {
  const made = make("button", `btn ${className}`, ...children);
  made.type = "button";
  made.addEventListener("click", (event) => void pressed(event));
  return made;
}

/** A field with its label above it. @param {string} label @param {HTMLInputElement} input @param {string} [hint] */
export function field(label, input, hint = "") {
  const id = `dr-${(count += 1)}`;
  input.id = id;
  const name = make("label", "", label);
  name.htmlFor = id;
  if (!hint) return make("div", "field", name, input);
  const words = make("p", "hint", hint);
  words.id = `${id}-hint`;
  input.setAttribute("aria-describedby", words.id);
  return make("div", "field", name, words, input);
}

let count = 0;

/** @param {string} label @param {boolean} checked @param {(on: boolean) => unknown} changed */
export function tick(label, checked, changed) {
  const input = make("input");
  input.type = "checkbox";
  input.checked = checked;
  input.addEventListener("change", () => void changed(input.checked));
  return make("label", "dr-tick", input, make("span", "", label));
}

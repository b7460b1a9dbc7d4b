// @ts-check
// Small helpers: elements, a drawn code made safe, and the pad one signs on.

/**
 * @param {string} name @param {Record<string, string | boolean | undefined>} [attributes]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElement}
 */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (typeof value === "string") made.setAttribute(key, value);
  }
  for (const child of children) if (child) made.append(child);
  return made;
}

/** @param {string} words @param {string} look @param {() => void} press @param {Node} [picture] */
export function button(words, look, press, picture) {
  const made = el("button", { class: `btn ${look}`, type: "button" }, picture, words);
  made.addEventListener("click", press);
  return made;
}

const SHAPES = ["svg", "g", "path", "rect"];
const MEASURES = ["viewBox", "width", "height", "x", "y", "d", "fill", "transform", "shape-rendering"];

/** A drawn code with shapes and measures only. @param {string} text an svg document @param {string} label */
export function code(text, label) {
  const found = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  if (found.nodeName !== "svg") return null;
  const copy = copied(found);
  copy.setAttribute("class", "qr");
  copy.setAttribute("role", "img");
  copy.setAttribute("aria-label", found.getAttribute("aria-label") ?? label);
  return copy;
}

/** @param {Element} from @returns {Element} */
function copied(from) {
  const to = document.createElementNS("http://www.w3.org/2000/svg", from.nodeName);
  for (const { name, value } of from.attributes) if (MEASURES.includes(name)) to.setAttribute(name, value);
  for (const child of from.children) if (SHAPES.includes(child.nodeName)) to.append(copied(child));
  return to;
}

/** True for an address that opens an app or an eID's own page. @param {unknown} url @returns {url is string} */
export function launchable(url) {
  return typeof url === "string" && /^(https?|bankid|freja|mitid|frejaeid):\/\//u.test(url);
}

/** True on a device one holds: there the app is here, and a code on its own screen cannot be scanned. */
export function isPhone() {
  return matchMedia("(pointer: coarse)").matches && innerWidth <= 960;
}

/** A box to draw in. Points are shares of its width and height, so that they are the same on every screen. */
export class Pad {
  /** @type {[number, number][][]} */ strokes = [];

  /** @param {string} label */
  constructor(label) {
    this.element = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.element.setAttribute("viewBox", "0 0 1000 300");
    this.element.setAttribute("preserveAspectRatio", "none");
    this.element.setAttribute("class", "pad");
    this.element.setAttribute("role", "img");
    this.element.setAttribute("aria-label", label);
    this.element.addEventListener("pointerdown", (event) => this.#begin(event));
    this.element.addEventListener("pointermove", (event) => this.#go(event));
  }

  clear() {
    this.strokes = [];
    this.element.replaceChildren();
  }

  /** @param {PointerEvent} event */
  #begin(event) {
    this.element.setPointerCapture(event.pointerId);
    this.strokes.push([]);
    this.element.append(document.createElementNS("http://www.w3.org/2000/svg", "polyline"));
    this.#add(event);
  }

  /** @param {PointerEvent} event */
  #go(event) {
    if (event.buttons === 0 || this.strokes.length === 0) return;
    for (const each of event.getCoalescedEvents?.() ?? [event]) this.#add(each);
  }

  /** @param {PointerEvent} event */
  #add(event) {
    const box = this.element.getBoundingClientRect();
    const share = (/** @type {number} */ at, /** @type {number} */ from, /** @type {number} */ size) =>
      Math.min(1, Math.max(0, Math.round(((at - from) / size) * 10000) / 10000));
    const stroke = this.strokes[this.strokes.length - 1];
    if (this.strokes.length > 60 || this.strokes.reduce((sum, each) => sum + each.length, 0) >= 2000) return;
    stroke.push([share(event.clientX, box.left, box.width), share(event.clientY, box.top, box.height)]);
    this.element.lastElementChild?.setAttribute("points", stroke.map(([x, y]) => `${x * 1000},${y * 300}`).join(" "));
  }
}

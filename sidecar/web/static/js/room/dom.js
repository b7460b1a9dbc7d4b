// @ts-check
// Small hands for the page's own elements. Text goes in as text: nothing here reads HTML.

const SVG = "http://www.w3.org/2000/svg";

/** @param {string} id @returns {HTMLElement} the element the template promised, or an error that names it */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`room.html has no element "${id}"`);
  return found;
}

/** @param {ParentNode} root @param {string} selector @returns {HTMLElement} */
export function one(root, selector) {
  const found = root.querySelector(selector);
  if (!found) throw new Error(`room.html has no element "${selector}"`);
  return /** @type {HTMLElement} */ (found);
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [className]
 * @param {...(Node | string)} children strings become text nodes
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** A picture from the one sprite, beside a word. @param {string} name @param {string} [className] */
export function icon(name, className = "icon") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  svg.append(document.createElementNS(SVG, "use"));
  redraw(svg, name);
  return svg;
}

/** Show another picture of the sprite in the same place. @param {Element} svg @param {string} name */
export function redraw(svg, name) {
  const href = `${byId("room").dataset.icons}#i-${name}`;
  const use = svg.querySelector("use");
  if (use && use.getAttribute("href") !== href) use.setAttribute("href", href);
}

/** Write a text only when it changed, so that no screen reader starts over. @param {Element} element @param {string} text */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * A button with a picture and a word.
 * @param {string} className @param {string} picture @param {string} word @param {() => void} press
 */
export function button(className, picture, word, press) {
  const element = make("button", className, ...(picture ? [icon(picture)] : []), make("span", "", word));
  element.type = "button";
  element.addEventListener("click", press);
  return element;
}

/**
 * Keep one child per item, in order. A child that stays is not moved or rebuilt, so focus and pictures stay.
 * @template T
 * @param {HTMLElement} list
 * @param {T[]} items
 * @param {(item: T) => string} key
 * @param {(item: T) => HTMLElement} create
 * @param {(element: HTMLElement, item: T) => void} [update]
 */
export function keep(list, items, key, create, update) {
  const old = new Map([...list.children].map((child) => [/** @type {HTMLElement} */ (child).dataset.key, /** @type {HTMLElement} */ (child)]));
  /** @type {Element | null} */
  let place = list.firstElementChild;
  for (const item of items) {
    let element = old.get(key(item));
    if (element) old.delete(key(item));
    else {
      element = create(item);
      element.dataset.key = key(item);
    }
    update?.(element, item);
    if (element === place) place = place.nextElementSibling;
    else list.insertBefore(element, place);
  }
  for (const gone of old.values()) {
    if (gone === place) place = gone.nextElementSibling;
    gone.remove();
  }
}

/**
 * One tab stop for a group; arrows, Home and End walk inside it.
 * @param {HTMLElement} group
 * @param {string} selector its stops, in order; hidden ones are passed over
 */
export function rove(group, selector) {
  const stops = () => /** @type {HTMLElement[]} */ ([...group.querySelectorAll(selector)].filter((stop) => /** @type {HTMLElement} */ (stop).offsetParent !== null));
  const current = (/** @type {HTMLElement} */ stop) => {
    for (const other of group.querySelectorAll(selector)) /** @type {HTMLElement} */ (other).tabIndex = other === stop ? 0 : -1;
  };
  group.addEventListener("focusin", ({ target }) => {
    const stop = /** @type {Element} */ (target).closest(selector);
    if (stop) current(/** @type {HTMLElement} */ (stop));
  });
  group.addEventListener("keydown", (event) => {
    const all = stops();
    const at = all.indexOf(/** @type {HTMLElement} */ (/** @type {Element} */ (event.target).closest(selector)));
    const to = step(event.key, at, all.length);
    if (at < 0 || to === null || event.defaultPrevented) return;
    event.preventDefault();
    all[to].focus();
  });
  return () => {
    const all = stops();
    if (all.length > 0 && !all.some((stop) => stop.tabIndex === 0)) current(all[0]);
  };
}

/**
 * Where an arrow leads in a group of `count`; null for any other key. The ends meet.
 * @param {string} key @param {number} at @param {number} count
 */
export function step(key, at, count) {
  if (count === 0) return null;
  if (key === "ArrowRight" || key === "ArrowDown") return (at + 1) % count;
  if (key === "ArrowLeft" || key === "ArrowUp") return (at - 1 + count) % count;
  if (key === "Home") return 0;
  return key === "End" ? count - 1 : null;
}

// @ts-check
// What stays sharp: one outline of head and shoulders that the person fits to where they sit. Pure geometry.

/**
 * @typedef {object} Outline
 * @property {number} side -1 to 1, as one sees oneself: to the left, to the right
 * @property {number} size 0 to 1
 */
/** @typedef {{x: number, y: number, rx: number, ry: number}} Ellipse pixels */

/** @type {Readonly<Outline>} */
export const MIDDLE = Object.freeze({ side: 0, size: 0.5 });

/** Parts of the picture's height: an outline of size 0.5 around somebody an arm's length from a laptop. */
const HEAD = { y: 0.45, rx: 0.2, ry: 0.27 };
const SHOULDERS = 0.5;

/** @param {unknown} value @param {number} least @param {number} most @param {number} otherwise */
const within = (value, least, most, otherwise) => (typeof value === "number" && value >= least && value <= most ? value : otherwise);

/** An outline out of whatever was kept; what cannot be read stands in the middle. @param {any} found @returns {Outline} */
export const asOutline = (found) => ({
  side: within(found?.side, -1, 1, MIDDLE.side), size: within(found?.size, 0, 1, MIDDLE.size),
});

/**
 * Head and shoulders in a picture of this size. Cameras do not mirror, one's own view does: its right is their left.
 * @param {{width: number, height: number}} picture pixels
 * @param {Outline} outline
 * @returns {[Ellipse, Ellipse]}
 */
export function outlined({ width, height }, { side, size }) {
  const grown = 0.6 + 0.8 * size;
  const x = width / 2 - side * Math.max(0, width / 2 - HEAD.rx * grown * height);
  const head = { x, y: HEAD.y * height, rx: HEAD.rx * grown * height, ry: HEAD.ry * grown * height };
  const top = Math.min(head.y + head.ry * 0.75, height);
  return [head, { x, y: height, rx: SHOULDERS * grown * height, ry: height - top }];
}

/** Whether a point is shown sharp. @param {{x: number, y: number}} point @param {Ellipse[]} shapes */
export const sharp = (point, shapes) => shapes.some(({ x, y, rx, ry }) => ((point.x - x) / rx) ** 2 + ((point.y - y) / ry) ** 2 <= 1);

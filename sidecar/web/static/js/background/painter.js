// @ts-check
// Draws one picture with everything outside the outline made unrecognisable. The same in the page and beside it.

import { outlined } from "./outline.js";

/** Pixels across of what is left of the room: too few for a letter, a face or a photograph on the wall. */
const LEFT = 32;
/** On the way down and up again, so that the picture is averaged rather than sampled, and soft rather than square. */
const BETWEEN = 160;
/** The outline's soft edge: how much coarser its mask is than the picture. */
const SOFT = 24;

/** @typedef {HTMLCanvasElement | OffscreenCanvas} Canvas */
/** @typedef {{width: number, height: number}} Size */

export class Painter {
  /** @type {(size: Size) => Canvas} */ #make;
  /** @type {Map<string, {canvas: Canvas, pen: any}>} */ #sheets = new Map();
  /** @type {import("./outline.js").Outline} */ #outline;
  #masked = "";

  /** @param {(size: Size) => Canvas} make @param {import("./outline.js").Outline} outline */
  constructor(make, outline) {
    this.#make = make;
    this.#outline = outline;
  }

  /** @param {import("./outline.js").Outline} outline */
  set outline(outline) {
    this.#outline = outline;
  }

  /**
   * @param {any} source a video, or a VideoFrame
   * @param {Size} size of the picture to make, pixels
   * @returns {Canvas} the same one each time
   */
  paint(source, { width, height }) {
    const tall = (/** @type {number} */ across) => ({ width: across, height: Math.max(1, Math.round((across * height) / width)) });
    const person = this.#draw("person", { width, height }, source); // the one costly step: everything else is made of it
    const between = this.#draw("between", tall(BETWEEN), person);
    const left = this.#draw("left", tall(LEFT), between);
    const soft = this.#draw("soft", tall(BETWEEN), left);
    const whole = this.#draw("whole", { width, height }, soft);
    const cut = this.#sheet("person", { width, height }).pen;
    cut.globalCompositeOperation = "destination-in";
    cut.drawImage(this.#mask({ width, height }), 0, 0, width, height);
    cut.globalCompositeOperation = "source-over"; // the next picture is opaque and covers this one
    this.#sheet("whole", { width, height }).pen.drawImage(person, 0, 0);
    return whole;
  }

  /** @param {Size} size */
  #mask({ width, height }) {
    const small = { width: Math.max(2, Math.round(width / SOFT)), height: Math.max(2, Math.round(height / SOFT)) };
    const { canvas, pen } = this.#sheet("mask", small);
    const now = JSON.stringify([small, this.#outline]);
    if (now === this.#masked) return canvas;
    this.#masked = now;
    pen.clearRect(0, 0, small.width, small.height);
    for (const { x, y, rx, ry } of outlined(small, this.#outline)) {
      pen.beginPath();
      pen.ellipse(x, y, rx, ry, 0, 0, Math.PI * 2);
      pen.fill();
    }
    return canvas;
  }

  /** @param {string} name @param {Size} size @param {any} source */
  #draw(name, size, source) {
    const { canvas, pen } = this.#sheet(name, size);
    pen.drawImage(source, 0, 0, size.width, size.height);
    return canvas;
  }

  /** @param {string} name @param {Size} size */
  #sheet(name, size) {
    let sheet = this.#sheets.get(name);
    if (!sheet) {
      const canvas = this.#make(size);
      sheet = { canvas, pen: canvas.getContext("2d") };
      this.#sheets.set(name, sheet);
    }
    const { canvas, pen } = sheet;
    if (canvas.width !== size.width || canvas.height !== size.height) {
      Object.assign(canvas, size);
      if (name === "mask") this.#masked = "";
    }
    pen.imageSmoothingEnabled = true;
    pen.imageSmoothingQuality = "medium";
    return sheet;
  }
}

/** The size of a picture made smaller; encoders want even numbers. @param {Size} picture @param {number} part @returns {Size} */
export const smaller = ({ width, height }, part) => ({
  width: Math.max(2, Math.round((width * part) / 2) * 2), height: Math.max(2, Math.round((height * part) / 2) * 2),
});

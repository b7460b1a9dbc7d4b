// @ts-check
// What this browser remembers between meetings: how one wants the page. Never a name, never a meeting.
// Which camera and microphone, and whether they are on, is the device check's to remember (device-check.js).

const NAME = "tillit.room";

/** @typedef {{speaker?: string, keys?: boolean, roles?: boolean}} Remembered */

/** @returns {Remembered} empty when the browser keeps nothing for us */
export function remembered() {
  try {
    return JSON.parse(localStorage.getItem(NAME) ?? "{}") ?? {};
  } catch {
    return {};
  }
}

/** @param {Remembered} more */
export function remember(more) {
  try {
    localStorage.setItem(NAME, JSON.stringify({ ...remembered(), ...more }));
  } catch {
    // A browser that keeps nothing still holds a meeting.
  }
}

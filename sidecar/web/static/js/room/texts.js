// @ts-check
// The page's sentences: the server sends those of room.toml in the reader's language; {names} are filled in here.

/** @typedef {(key: string, params?: Record<string, string | number>) => string} Say */

/**
 * @param {Record<string, string>} sentences key -> sentence, keys with the prefix "room."
 * @returns {Say} looks up "room." + key; a key that is missing answers with itself, so that it is seen
 */
export function texts(sentences) {
  return (key, params = {}) =>
    (sentences[`room.${key}`] ?? key).replace(/\{(\w+)\}/gu, (whole, name) => (name in params ? String(params[name]) : whole));
}

/**
 * Names in one sentence: "Maja", "Maja och Samir", "Maja, Samir och Ture".
 * @param {string[]} names
 * @param {string} language
 */
export const listed = (names, language) => new Intl.ListFormat(language, { type: "conjunction" }).format(names);

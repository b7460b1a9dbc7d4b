// @ts-check
// Numbers as the reader writes them, and the shape of the picture. Pure.

const LOCALES = { sv: "sv-SE", nb: "nb-NO", da: "da-DK", fi: "fi-FI", nl: "nl-NL", en: "en-GB" };

/** @param {string} language */
const locale = (language) => /** @type {Record<string, string>} */ (LOCALES)[language] ?? "en-GB";

/** Whole units of the currency; the exact figure stands in what is kept. @param {string | number} amount @param {string} currency @param {string} language */
export function money(amount, currency, language) {
  return new Intl.NumberFormat(locale(language), { style: "currency", currency, maximumFractionDigits: 0 }).format(Number(amount));
}

/** @param {string} value decimals as kept @param {string} language */
export function percent(value, language) {
  const digits = value.includes(".") ? value.split(".")[1].length : 0;
  return new Intl.NumberFormat(locale(language), { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits }).format(Number(value) / 100);
}

/** @param {number} amount @param {string} language */
export function grouped(amount, language) {
  return new Intl.NumberFormat(locale(language), { maximumFractionDigits: 0 }).format(amount);
}

/** The whole number somebody wrote, or null. @param {string} text */
export function whole(text) {
  const bare = text.replace(/[\s.,'’\u00a0\u202f]|kr/gu, "");
  return /^[0-9]{1,12}$/.test(bare) ? Number(bare) : null;
}

/**
 * Bars for what is left after each year.
 * @param {{left: string}[]} years @param {number} start @param {{width: number, height: number}} size
 */
export function bars(years, start, { width, height }) {
  const all = [start, ...years.map(({ left }) => Number(left))];
  const step = width / all.length;
  return all.map((left, at) => {
    const tall = start > 0 ? (left / start) * height : 0;
    return { x: at * step + step * 0.12, y: height - tall, width: step * 0.76, height: tall };
  });
}

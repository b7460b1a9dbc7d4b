// @ts-check
// The page's own sentences, where a number changes while one looks. The server writes them as data attributes.

/**
 * Fills {placeholders}; what has no value stays visible, so that a mistake is seen.
 * @param {string} text
 * @param {Record<string, string | number>} values
 */
export function fill(text, values) {
  return text.replace(/\{([a-z_]+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/**
 * Returns the sentence for a count in a language with its own plural rules.
 * @param {{one?: string, other: string}} forms
 * @param {number} count
 * @param {string} language
 */
export function counted(forms, count, language) {
  const rule = new Intl.PluralRules(language).select(count);
  return fill((rule === "one" && forms.one) || forms.other, { count });
}

/** Whole minutes between two moments, never below zero. @param {string} since RFC 3339 @param {number} now ms */
export function minutesSince(since, now) {
  return Math.max(0, Math.floor((now - Date.parse(since)) / 60000));
}

/**
 * Shows, inside a part of the page, the one child whose data-when names the state, and hides its siblings.
 * @param {Element} part
 * @param {string} state
 */
export function showState(part, state) {
  part.setAttribute("data-state", state);
  for (const choice of part.querySelectorAll("[data-when]")) {
    const wanted = (choice.getAttribute("data-when") || "").split(" ").includes(state);
    /** @type {HTMLElement} */ (choice).toggleAttribute("hidden", !wanted);
  }
}

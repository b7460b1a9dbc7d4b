// @ts-check
// Small helpers for building a page without markup in strings: what somebody wrote is text and nothing else.

/**
 * @param {string} tag @param {string} [name] class names @param {...(Node | string | null | undefined)} children
 * @returns {any}
 */
export function make(tag, name = "", ...children) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** @param {string} name an id in icons.svg */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `/static/icons.svg#i-${name}`);
  svg.append(use);
  return svg;
}

/** @param {string} words @param {string} kind class names @param {() => void} act */
export function button(words, kind, act) {
  const made = make("button", `btn ${kind}`, words);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

/** An agreement as text. @param {{title: string, language: string, blocks: any[]}} paper @param {string} critical */
export function paper(paper, critical) {
  const article = make("article", "form-paper");
  article.lang = paper.language;
  article.dataset.theme = "light";
  article.append(make("h3", "", paper.title));
  for (const { kind, text, rows, critical: weighs } of paper.blocks) {
    let part;
    if (kind === "table") part = make("dl", "", ...rows.flatMap(([label, value]) => [make("dt", "", label), make("dd", "", value)]));
    else if (kind === "text") part = make("p", "", text);
    else part = make("h4", kind === "annex" ? "annex" : "", text, weighs ? make("span", "hidden", `. ${critical}`) : null);
    if (weighs) part.classList.add("weighs");
    article.append(part);
  }
  return article;
}

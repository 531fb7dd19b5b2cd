// What was understood of the words: each part can be dropped, and put back.

import { h, icon } from "./dom.js";

// Words that carry their own "not".
const NEGATED = /^(not|no|non|without|ohne|kein\w*|nicht|sans|pas|sin|senza|sem|não|-)(?![a-z])|なし|ない|無|없|无|不/i;

const known = new Map(); // id → words, of what was understood before it was dropped

const words = ({ text, value, negative }) => {
  const said = text || value;
  return negative && !NEGATED.test(said) ? `not ${said}` : said;
};

const wordsOf = (id) => known.get(id) ?? id.slice(id.indexOf(":") + 1);

const chip = (id, label, title, picture, kind, action) => h("li", {}, h("button", { type: "button", class: `pill ${kind}`, "data-chip": id, "aria-label": title, title, onclick: action }, h("span", {}, label), icon(picture)));

// `chips` as the service gives them, `dropped` their ids; `onDropped` gets the ids dropped from now on.
export function showChips(place, chips, dropped, onDropped) {
  for (const one of chips) known.set(one.id, words(one));
  const used = chips.filter(({ id }) => !dropped.includes(id));
  const kept = used.map((one) => chip(one.id, words(one), `Leave out “${words(one)}”`, "close", "understood", () => onDropped([...dropped, one.id])));
  const gone = dropped.map((id) => chip(id, wordsOf(id), `Put “${wordsOf(id)}” back`, "plus", "dropped", () => onDropped(dropped.filter((other) => other !== id))));
  const held = place.contains(document.activeElement) ? document.activeElement.dataset.chip : null;
  place.replaceChildren(...kept, ...gone);
  // Whoever dropped a chip by a key is still at it, and can put it back by the same key.
  [...place.querySelectorAll("button")].find(({ dataset }) => dataset.chip === held)?.focus({ preventScroll: true });
  place.parentElement.hidden = !place.children.length;
}

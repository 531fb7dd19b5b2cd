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

const chip = (label, title, picture, kind, action) => h("li", {}, h("button", { type: "button", class: `pill ${kind}`, "aria-label": title, title, onclick: action }, h("span", {}, label), icon(picture)));

// `chips` as the service gives them, `dropped` their ids; `onDropped` gets the ids dropped from now on.
export function showChips(place, chips, dropped, onDropped) {
  for (const one of chips) known.set(one.id, words(one));
  const used = chips.filter(({ id }) => !dropped.includes(id));
  const kept = used.map((one) => chip(words(one), `Leave out “${words(one)}”`, "close", "understood", () => onDropped([...dropped, one.id])));
  const gone = dropped.map((id) => chip(wordsOf(id), `Put “${wordsOf(id)}” back`, "plus", "dropped", () => onDropped(dropped.filter((other) => other !== id))));
  place.replaceChildren(...kept, ...gone);
  place.parentElement.hidden = !place.children.length;
}

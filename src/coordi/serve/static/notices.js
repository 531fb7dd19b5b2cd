// What the page says where there are no results, in plain words, with what to do next.

import { h, icon } from "./dom.js";
import { formatCount } from "./format.js";

const FAILURES = {
  unreachable: ["The shop cannot be reached", "Check that the server runs and that you are online."],
  too_large: ["This photo is too large", "Choose a smaller one."],
  bad_image: ["This file is not a photo we can read", "Choose a JPEG, PNG or WebP picture."],
  bad_filter: ["A filter does not fit this catalogue", "Remove the filters and choose again."],
  gone: ["This photo search has ended", "A photo is kept for an hour at most. Choose it again to go on."],
  not_found: ["This item is no longer in the catalogue", "Go back to all items."],
  busy: ["The catalogue is being changed", "Try again in a moment."],
  store: ["The catalogue cannot be read just now", "Try again in a moment."],
  not_ready: ["The shop is still opening", "Try again in a moment."],
  internal: ["Something went wrong", "It is not your fault. Try again; the server's log says more."],
};

const button = (label, action, quiet) => h("button", { type: "button", class: quiet ? "button quiet" : "button", onclick: action }, label);

function show(place, picture, title, words, buttons) {
  place.replaceChildren(icon(picture), h("h3", {}, title), h("p", {}, words), h("div", { class: "notice-buttons" }, buttons));
  place.hidden = false;
}

// `on` has retry(), clearFilters(), removePhoto(), all().
export function showFailure(place, error, asked, on) {
  const [title, words] = FAILURES[error.code] ?? ["This search cannot be answered", error.message];
  const ofPhoto = error.code === "bad_image" || error.code === "too_large";
  const next = [
    error.code === "gone" ? button("Choose a photo", on.pick) : null,
    error.code === "gone" ? button("See all items", on.all, true) : null,
    ofPhoto && asked.photo ? button("Remove the photo", on.removePhoto) : null,
    error.code === "bad_filter" ? button("Remove the filters", on.clearFilters) : null,
    ofPhoto || error.code === "gone" ? null : button("Try again", on.retry, error.code === "bad_filter"),
    error.code === "not_found" ? button("See all items", on.all) : null,
  ];
  show(place, "broken", title, words, next.filter(Boolean));
}

const isAimless = (note) => note.includes("means nothing");

// Whether even the best of an answer has nothing to do with what was asked: its order means nothing,
// or no hit is nearer than the service's `floor`, or than chance where it names none.
export function isFar({ hits = [], notes = [], floor, browse = false }) {
  if (browse || !hits.length) return false;
  const best = Math.max(...hits.map(({ score }) => score ?? 1));
  return notes.some(isAimless) || (best < (floor ?? 0) && !hits.some(({ words }) => words?.length));
}

function far(asked, why) {
  const advice = asked.photo ? "Choose another garment of the photo, frame one closely, or say it in words." : "Try other words, a kind and a colour for example, or show a photo.";
  return h("div", { class: "remark far" }, h("h3", {}, "Nothing like this here"), h("p", {}, why ?? `What is nearest is shown, but it may be far from what you asked. ${advice}`));
}

// “Did you mean”: what was searched, and the way back to what was typed.
const meant = (suggestion, typed, onTyped) =>
  h("p", { class: "remark meant" }, "Searched for ", h("strong", {}, suggestion), ". ", h("button", { type: "button", class: "link", onclick: onTyped }, `Search instead for “${typed}” as typed`));

// What the asker should know of an answer that there is: other words than typed, words nobody knows,
// items not searched. `asked` has the words as `words`; `currencies` are given where the order puts
// prices of several beside one another.
export function showRemarks(place, found, asked, on, currencies = []) {
  const { notes = [], without_vector: missing = 0, total = 0, suggestion = "" } = found;
  // The service says in a note too what it searched instead.
  const all = notes.filter((note) => !isAimless(note) && !(suggestion && note.includes(`“${suggestion}” instead of`)));
  if (missing && !found.browse) {
    all.push(`${formatCount(missing)} of ${formatCount(total + missing)} items have no vector of this encoder yet, so they cannot be found.`);
  }
  if (currencies.length && found.hits?.length) {
    all.push(`Prices are in ${currencies.join(" and ")}, and are ordered by their numbers alone. Choose one currency to compare like with like.`);
  }
  place.replaceChildren(
    ...(suggestion ? [meant(suggestion, asked.words, on.asTyped)] : []),
    ...(isFar(found) ? [far(asked, notes.find(isAimless))] : []),
    ...all.map((words) => h("p", { class: "remark" }, words)),
  );
}

export function showNothing(place, asked, on) {
  if (asked.filters) {
    const words = "No item passes all the filters. Remove some of them, or start afresh.";
    show(place, "hanger", "Nothing fits", words, [button("Remove the filters", on.clearFilters), button("See all items", on.all, true)]);
  } else if (asked.search) {
    const words = asked.photo ? "Choose another garment of the photo, or show another one." : "Try fewer words or other ones, a kind and a colour for example, or show a photo.";
    show(place, "hanger", "Nothing like this here", words, [asked.dropped ? button("Put back what was left out", on.putBack) : null, button("See all items", on.all)].filter(Boolean));
  } else {
    show(place, "hanger", "The rail is empty", "This catalogue has no items yet. Fill it with: coordi ingest CATALOG --store DIR", []);
  }
}

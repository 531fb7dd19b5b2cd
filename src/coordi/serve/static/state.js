// What is asked for, in the address, so that it can be shared and the back button works.
// A photo stands there by the id under which the service keeps it for a while (`query`); until it has
// one, and beyond that time, the photo of this visit is found by a key in the history entry.

export const EVEN = 50; // the slider's middle: photo and words count alike

const DAY = /^\d{4}-\d\d-\d\d$/;

const TEXTS = ["q", "like", "item", "sort", "query", "box"];
const FLAGS = ["fold", "apart", "typed"];

// `box` is the part of the photo that is searched, "" where it is all of it; `drop` the ids of what was
// understood of the words and is not meant; `typed` searches words as they were typed.
export const empty = () => ({ q: "", like: "", item: "", query: "", box: "", words: EVEN, fold: false, apart: false, typed: false, drop: [], sort: "", filters: {} });

export const NEW_WORDS = { drop: [], typed: false };
export const NO_PHOTO = { query: "", box: "", words: EVEN };

export function read(search) {
  const state = empty();
  for (const [key, value] of new URLSearchParams(search)) {
    const [kind, name] = split(key);
    if (TEXTS.includes(key)) state[key] = value;
    else if (FLAGS.includes(key)) state[key] = value === "1";
    else if (key === "drop") state.drop.push(value);
    else if (key === "words") state.words = clamp(Number(value));
    else if (kind === "f") choice(state, name).values = [...(choice(state, name).values ?? []), value];
    else if (kind === "has") Object.assign(choice(state, name), { many: true, values: [...(choice(state, name).values ?? []), value] });
    else if (kind === "yes") choice(state, name).yes = true;
    else if (kind === "min" || kind === "max") {
      const bound = DAY.test(value) ? value : Number(value);
      if (bound === value || (value !== "" && Number.isFinite(bound))) choice(state, name)[kind] = bound;
    }
  }
  return state;
}

export function write(state) {
  const out = new URLSearchParams();
  for (const key of TEXTS) if (state[key]) out.set(key, state[key]);
  if (state.words !== EVEN) out.set("words", state.words);
  for (const key of FLAGS) if (state[key]) out.set(key, "1");
  for (const id of state.drop) out.append("drop", id);
  for (const [name, { values, many, yes, min, max }] of Object.entries(state.filters)) {
    for (const value of values ?? []) out.append(`${many ? "has" : "f"}.${name}`, value);
    if (yes) out.set(`yes.${name}`, "1");
    if (min !== undefined) out.set(`min.${name}`, min);
    if (max !== undefined) out.set(`max.${name}`, max);
  }
  const text = out.toString();
  return text ? `/?${text}` : "/";
}

// The same filters with one field's choice replaced; an empty choice removes it.
export function withFilter(filters, name, change) {
  const { [name]: old, ...others } = filters;
  const next = { ...old, ...change };
  const used = next.values?.length || next.yes || next.min !== undefined || next.max !== undefined;
  return used ? { ...others, [name]: next } : others;
}

export const countFilters = (filters) =>
  Object.values(filters).reduce(
    (sum, { values, yes, min, max }) =>
      sum + (values?.length ?? 0) + (yes ? 1 : 0) + (min !== undefined || max !== undefined ? 1 : 0),
    0,
  );

const clamp = (value) => (Number.isFinite(value) ? Math.min(95, Math.max(5, Math.round(value))) : EVEN);

function split(key) {
  const dot = key.indexOf(".");
  return dot < 0 ? ["", ""] : [key.slice(0, dot), key.slice(dot + 1)];
}

const choice = (state, name) => (state.filters[name] ??= {});

// The service's routes, and its failures as one kind of error.

import { whereOf } from "./where.js";

export const PAGE = 36;
const ALIKE = 0.98; // cosine from which two photos show the same garment

export class ApiError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

async function call(address, options = {}) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("unreachable", "The shop cannot be reached.");
  }
  const body = await response.json().catch(() => null);
  if (response.ok && body) return body;
  throw new ApiError(body?.error?.code ?? "internal", body?.error?.message ?? "The shop gave no answer.");
}

const query = (values) => {
  const out = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) {
    if (value !== "" && value !== null && value !== undefined) out.set(key, value);
  }
  return out;
};

export const limits = () => call("/v1/limits");
export const facets = async () => (await call("/v1/facets")).facets;
// As a parameter any id can be asked for; in a path, clients take "." and ".." for steps.
export const item = (id, signal) => call(`/v1/items/?${query({ id })}`, { signal });
export const similar = async (id, signal) =>
  (await call(`/v1/similar/?${query({ id, limit: 12, collapse: ALIKE })}`, { signal })).hits;

// One page for the state: browse without a query, search with one.
export function results(state, photo, offset, signal) {
  const page = { where: whereOf(state.filters), limit: PAGE, offset };
  if (!photo && !state.q && !state.like) return browse(page, signal);
  const words = state.words / 100;
  const fields = {
    ...page,
    text: state.q,
    item: state.like,
    explain: true,
    collapse: state.fold ? ALIKE : "",
    text_weight: state.q ? words : "",
    item_weight: state.like ? 1 - words : "",
  };
  return photo ? byPhoto(photo, words, fields, signal) : call(`/v1/search?${query(fields)}`, { signal });
}

async function browse(page, signal) {
  const found = await call(`/v1/items?${query(page)}`, { signal });
  const hits = found.items.map((one) => ({ item: one, score: null, parts: null, duplicates: [] }));
  return { hits, total: found.total, filtered_out: 0, more: found.more, browse: true };
}

function byPhoto(photo, words, fields, signal) {
  const form = new FormData();
  for (const [key, value] of query(fields)) form.set(key, value);
  form.set("image", photo.blob, "photo");
  form.set("image_weight", 1 - words);
  if (photo.box.some((side, index) => side !== [0, 0, 1, 1][index])) form.set("box", photo.box.join(","));
  return call("/v1/search", { method: "POST", body: form, signal });
}

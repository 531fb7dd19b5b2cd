// Puts the page together: the address is the state, and every change of it asks the service.

import * as api from "./api.js";
import { showChips } from "./chips.js";
import { createDetail } from "./detail.js";
import { byId, debounce, fillIcons, h } from "./dom.js";
import { chosenCurrencies, currenciesOf, orders, showFilters, showPills } from "./filters.js";
import { formatCount, isMoney, nameOf } from "./format.js";
import { createGallery } from "./gallery.js";
import { showIdeas } from "./ideas.js";
import { showFailure, showNothing, showRemarks } from "./notices.js";
import { listen, takeIn } from "./photo.js";
import { chosenGarment, prepare, restore } from "./prepare.js";
import { showQuery } from "./query.js";
import * as addresses from "./state.js";

const NARROW = matchMedia("(max-width: 859px)");

const SOON = 150; // milliseconds that old results may stand while others are searched

const photos = new Map(); // key in the history entry → photo of this visit
let state = addresses.read(location.search);
let photo = null;
let facets = []; // the fields of the whole catalogue
let live = []; // the same, counted under the filters
const ALL = JSON.stringify([{}, ""]);
let counted = ALL; // the filters and the item searched with that `live` is of
let counting = null;
let limits = { upload_bytes: Infinity };
let asked = null; // the search under way
let shown = ""; // the search whose results are on the page
let lastWords = null; // the words that the field was last set to
let drawn = null; // the box as it was drawn last, until it stands in the address

const place = Object.fromEntries(
  ["welcome", "ideas", "query", "filters", "pills", "heading", "count", "notice", "progress", "alert", "fold", "words", "remarks", "sort", "together", "understood"].map((id) => [id, byId(id)]),
);

const gallery = createGallery(byId("gallery"), {
  addressOf: (id) => addresses.write({ ...state, item: id }),
  open: (id) => go({ item: id }),
  like: searchLike,
});

const detail = createDetail(byId("detail"), {
  addressOf: (id) => addresses.write({ ...state, item: id }),
  open: (id) => go({ item: id }),
  // Colours of one garment are one step: Back leads to where the garment was opened.
  change: (id) => go({ item: id }, { replace: true }),
  like: searchLike,
  closed,
});

// Closing steps back to the list that the item was opened from, so that Back does not reopen it.
function closed() {
  if (!state.item) return;
  if (history.state?.opened) history.back();
  else go({ item: "" }, { replace: true });
}

// --- the address -----------------------------------------------------------------------------

function go(changes, { replace = false, from = "" } = {}) {
  if ("box" in changes) settleBox();
  state = { ...state, ...changes };
  const opened = replace && state.item ? history.state?.opened : state.item && !detail.open;
  const entry = { photo: photo?.key ?? null, opened: Boolean(opened) };
  const change = replace ? "replaceState" : "pushState";
  history[change](entry, "", addresses.write(state));
  render(from);
}

addEventListener("popstate", () => {
  settleBox();
  state = addresses.read(location.search);
  photo = photoNow();
  render();
});

const home = () => {
  photo = null;
  go(addresses.empty());
};

function searchLike(id) {
  photo = null;
  go({ like: id, item: "", q: "", ...addresses.NO_PHOTO, ...addresses.NEW_WORDS });
  detail.hide();
  scrollTo({ top: 0 });
  byId("results").focus({ preventScroll: true });
}

// --- drawing ---------------------------------------------------------------------------------

function render(from = "") {
  const searching = Boolean(photo || state.q || state.like);
  if (state.q !== lastWords) place.words.value = lastWords = state.q;
  place.fold.checked = state.fold;
  byId("fold-place").hidden = !searching;
  place.together.checked = !state.apart;
  drawOrders(searching);
  place.welcome.hidden = searching || addresses.countFilters(state.filters) > 0;
  if (from !== "filters") drawFilters();
  countFacets();
  const [currency, another] = currenciesNow();
  showPills(place.pills, state.filters, another ? "" : currency, (filters) => go({ filters }));
  const used = addresses.countFilters(state.filters);
  byId("open-filters-label").textContent = used ? `Filters (${used})` : "Filters";
  drawQuery();
  drawDetail();
  search();
}

function drawFilters() {
  showFilters(place.filters, facets, live, {
    chosen: () => state.filters,
    change: (filters) => go({ filters }, { from: "filters" }),
    inside: async (field, contains) => (await api.facets(state.filters, { ...narrowing(), field, contains }))[0],
  });
}

const currenciesNow = () => currenciesOf(chosenCurrencies(facets, state.filters));

// What leaves out items besides the filters: an item does not find itself. Words leave out none.
const narrowing = () => ({ item: photo ? "" : state.like });

// The values that can still be chosen, and how often there are, follow the query and its filters.
async function countFacets() {
  const wanted = JSON.stringify([state.filters, photo ? "" : state.like]);
  if (wanted === counted || !facets.length) return;
  counted = wanted;
  counting?.abort();
  counting = new AbortController();
  try {
    live = wanted === ALL ? facets : await api.facets(state.filters, narrowing(), counting.signal);
    drawFilters();
  } catch (error) {
    if (error.name !== "AbortError") counted = ""; // the search reports what is wrong
  }
}

function drawOrders(searching) {
  const known = orders(facets);
  // One from a shared address stays, whether this catalogue offers it or not.
  if (state.sort && !known.some(([order]) => order === state.sort)) known.push([state.sort, state.sort]);
  const options = [["", searching ? "Most relevant" : "Mixed"], ...known];
  place.sort.replaceChildren(...options.map(([value, words]) => h("option", { value }, words)));
  place.sort.value = state.sort;
  byId("sort-place").hidden = options.length < 2;
  byId("together-place").hidden = !hasGarments();
}

const hasGarments = () => facets.some(({ name, distinct }) => name === api.GARMENT && distinct > 0);
const garments = () => hasGarments() && !state.apart;

function drawQuery() {
  const liked = gallery.find(state.like)?.item ?? known.get(state.like) ?? null;
  showQuery(place.query, { ...state, box: drawn ?? state.box }, photo, liked, {
    removePhoto,
    choose: (box) => go({ box }),
    crop,
    balance: (words) => go({ words }, { replace: true }),
    removeLike: () => go({ like: "" }),
  });
  if (state.like && !photo && !liked) fetchLiked(state.like);
}

const known = new Map(); // items that were searched with

async function fetchLiked(id) {
  try {
    known.set(id, await api.item(id));
    if (state.like === id) {
      drawQuery();
      setHeading();
    }
  } catch {
    // The search itself reports what is wrong with this item.
  }
}

function drawDetail() {
  if (state.item) detail.show(state.item, gallery.find(state.item));
  else detail.hide();
}

function setHeading() {
  const words = state.q ? `“${state.q}”` : "";
  const liked = known.get(state.like);
  let title = addresses.countFilters(state.filters) ? "Chosen by filter" : "On the rail";
  if (photo) title = likePhoto() + (words && `, ${words}`);
  else if (state.like) title = `Like ${liked ? nameOf(liked) : "this"}${words ? `, ${words}` : ""}`;
  else if (words) title = words;
  place.heading.textContent = title;
  document.title = title === "On the rail" ? "coordi" : `${title} · coordi`;
}

function likePhoto() {
  const garment = chosenGarment(photo, state.box);
  if (garment) return `Like the ${garment.kind} in your photo`;
  return state.box ? "Like a part of your photo" : "Like your photo";
}

function setCount(found) {
  place.count.classList.remove("unseen");
  const folded = found.browse && garments();
  const items = (count) => `${formatCount(count)} ${folded ? "garment" : "item"}${count === 1 ? "" : "s"}`;
  // The filters count items: how many of them the garments hold explains their figures.
  const inColors = folded && found.apart > found.total ? ` in ${formatCount(found.apart)} colours` : "";
  const left = found.total - found.filtered_out;
  place.count.textContent = found.browse ? items(found.total) + inColors : found.hits.length ? (state.sort ? items(left) : `Best of ${items(left)}`) : "Nothing found";
}

// --- searching -------------------------------------------------------------------------------

const signature = () => JSON.stringify([state.q, state.like, state.words, state.fold, garments(), state.sort, state.filters, state.typed, state.drop, photo?.key, state.box]);

async function search({ again = false } = {}) {
  const wanted = signature();
  if (wanted === shown && !again) return;
  asked?.abort();
  if (photo && !photo.ready) {
    setHeading();
    wait(true); // until it is known what is on the photo
    return;
  }
  shown = wanted;
  asked = new AbortController();
  const { signal } = asked;
  const liked = gallery.find(state.like)?.item;
  if (liked) known.set(liked.id, liked);
  setHeading();
  wait(true);
  try {
    const found = await api.results(state, photo, garments(), 0, signal);
    draw(found);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (error.code === "gone" && photo?.blob) return sendAgain(photo);
    fail(error);
  }
  wait(false);
}

function draw(found) {
  place.notice.hidden = true;
  gallery.show(found.hits);
  setCount(found);
  showRemarks(place.remarks, found, whatIsAsked(), actions, ordersByNumbers() ? currenciesNow() : []);
  showChips(place.understood, found.chips ?? [], state.q ? state.drop : [], (drop) => go({ drop }));
  byId("more-place").hidden = !found.more;
  drawQuery();
  if (!found.hits.length) showNothing(place.notice, whatIsAsked(), actions);
}

// Prices of several currencies have no order but that of their numbers, which is said.
const ordersByNumbers = () => isMoney(state.sort.replace(/^-/, "")) && currenciesNow().length > 1;

function fail(error) {
  shown = "";
  gallery.clear();
  showRemarks(place.remarks, {}, whatIsAsked(), actions);
  showChips(place.understood, [], state.q ? state.drop : [], (drop) => go({ drop }));
  byId("more-place").hidden = true;
  place.count.textContent = "";
  showFailure(place.notice, error, whatIsAsked(), actions);
  // Said to those who hear the page; the notice shows it to those who see it.
  place.count.textContent = place.notice.querySelector("h3").textContent;
  place.count.classList.add("unseen");
}

const whatIsAsked = () => ({
  photo: Boolean(photo),
  search: Boolean(photo || state.q || state.like),
  filters: addresses.countFilters(state.filters) > 0,
  words: state.q,
  dropped: state.drop.length > 0,
});

const actions = {
  retry() {
    (facets.length ? Promise.resolve() : fetchFacets()).then(() => search({ again: true }));
  },
  clearFilters: () => go({ filters: {} }),
  removePhoto,
  asTyped: () => go({ typed: true }),
  putBack: () => go({ drop: [] }),
  pick: () => byId("file").click(),
  all: home,
};

let waiting = 0;

function wait(on) {
  const list = byId("gallery");
  list.setAttribute("aria-busy", String(on));
  place.progress.hidden = !on;
  clearTimeout(waiting);
  if (!on) return;
  waiting = setTimeout(() => {
    place.notice.hidden = true;
    byId("more-place").hidden = true;
    gallery.wait(12);
  }, SOON);
}

async function showMore() {
  const button = byId("more");
  const { signal } = asked;
  button.disabled = true;
  try {
    const found = await api.results(state, photo, garments(), gallery.length, signal);
    gallery.add(found.hits);
    byId("more-place").hidden = !found.more;
  } catch (error) {
    if (error.name !== "AbortError") say(error.message);
  }
  button.disabled = false;
}

// --- the photo -------------------------------------------------------------------------------

async function usePhoto(file) {
  say("");
  const taken = await takeIn(file);
  if (taken.blob.size > limits.upload_bytes) {
    say(`This photo is larger than ${limits.upload_bytes / 1e6} MB. Choose a smaller one.`);
    return;
  }
  const mine = { ...taken, key: crypto.randomUUID?.() ?? String(Math.random()) };
  photo = mine;
  photos.set(mine.key, mine);
  go({ like: "", item: "", query: "", box: "" });
  scrollTo({ top: 0 });
  await prepare(mine);
  if (photo !== mine) return;
  const best = mine.garments.find((garment) => garment.best);
  // Who has drawn a box meanwhile wants that one.
  go({ query: mine.id, ...(mine.drawn ? {} : { box: best?.frame ?? "" }) }, { replace: true });
}

// The photo of this history entry: one of this visit, or one that the service keeps.
function photoNow() {
  const mine = photos.get(history.state?.photo) ?? [...photos.values()].find(({ id }) => id && id === state.query);
  return mine ?? (state.query ? fetched(state.query) : null);
}

// Searches do not wait for the picture: the service has it.
function fetched(id) {
  const one = { key: id, id, ready: true, fetching: true, width: 0 };
  photos.set(id, one);
  restore(one)
    .catch(() => {}) // the search itself reports what is wrong
    .then(() => {
      one.fetching = false;
      if (photo !== one) return;
      drawQuery();
      setHeading();
    });
  return one;
}

// The service keeps the photo no more, but this page has it.
async function sendAgain(mine) {
  shown = "";
  mine.id = await api.keep(mine).catch(() => "");
  if (photo === mine) go({ query: mine.id }, { replace: true });
}

function removePhoto() {
  photo = null;
  go(addresses.NO_PHOTO);
  byId("pick").focus();
}

// A box is searched once it rests. Until then answers that arrive leave it as it was drawn.
const cropped = debounce(() => go({ box: drawn }, { replace: true }), 300);

function crop(box) {
  drawn = box;
  photo.drawn = true;
  cropped();
}

function settleBox() {
  cropped.cancel();
  drawn = null;
}

// --- words and buttons -----------------------------------------------------------------------

// Nothing to say hides what was said.
function say(message) {
  place.alert.textContent = message;
  place.alert.hidden = !message;
}

function placeFilters() {
  const target = NARROW.matches ? byId("sheet-body") : byId("filters-place");
  target.append(place.filters);
  if (!NARROW.matches && byId("sheet").open) byId("sheet").close();
}

function connect() {
  const pick = () => byId("file").click();
  byId("pick").addEventListener("click", pick);
  byId("pick-large").addEventListener("click", pick);
  byId("take").addEventListener("click", () => byId("snap").click());
  for (const id of ["file", "snap"]) {
    byId(id).addEventListener("change", ({ target }) => {
      const [file] = target.files;
      if (file) usePhoto(file);
      target.value = ""; // so that the same file can be chosen again
    });
  }
  listen(byId("veil"), usePhoto);
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    say("");
    if (NARROW.matches) place.words.blur(); // puts the keyboard of a phone away
    const q = place.words.value.trim();
    go({ q, item: "", ...(q === state.q ? {} : addresses.NEW_WORDS) });
  });
  byId("home").addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    home();
  });
  place.sort.addEventListener("change", () => go({ sort: place.sort.value }));
  place.together.addEventListener("change", () => go({ apart: !place.together.checked }));
  place.fold.addEventListener("change", () => go({ fold: place.fold.checked }));
  byId("more").addEventListener("click", showMore);
  const sheet = byId("sheet");
  byId("open-filters").addEventListener("click", () => sheet.showModal());
  byId("sheet-close").addEventListener("click", () => sheet.close());
  byId("sheet-done").addEventListener("click", () => sheet.close());
  sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());
  NARROW.addEventListener("change", placeFilters);
}

async function fetchFacets() {
  try {
    [facets, limits] = await Promise.all([api.facets(), api.limits()]);
    live = facets;
    counted = ALL;
    drawFilters();
    showIdeas(place.ideas, facets, (q) => go({ q, ...addresses.NEW_WORDS }));
  } catch {
    // The search reports that the shop cannot be reached; trying again fetches these too.
  }
}

fillIcons(document);
connect();
placeFilters();
photo = photoNow();
// Whether garments are folded depends on the fields, so they come first.
fetchFacets().then(() => render());

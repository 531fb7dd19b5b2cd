// How items, fields and numbers read.

const KINDS = ["type", "articleType", "article_type", "product_type", "subCategory", "category", "label"];
const COLORS = ["color", "colour", "baseColour", "base_colour"];

const count = new Intl.NumberFormat();
const share = new Intl.NumberFormat(undefined, { style: "percent" });
const score = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });

export const formatCount = (value) => count.format(value);
export const formatScore = (value) => score.format(value);
export const formatShare = (value) => share.format(value);

const first = (fields, names) => names.map((name) => fields[name]).find((value) => value);

export const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1);

// Many catalogues have no titles: then kind and colour name the garment.
export function nameOf(item) {
  if (item.title) return item.title;
  const words = [first(item.fields, COLORS), leafOf(String(first(item.fields, KINDS) ?? ""))].filter(Boolean);
  if (words.length) return sentence(words.join(" ").toLowerCase());
  return item.description.slice(0, 60) || item.id;
}

// An amount in the reader's notation, with the currency's own decimals: ¥9,000, €39.90, €40.
export function money(amount, code) {
  const currency = String(code ?? "").toUpperCase();
  // "JP¥" tells the yen from the yuan, which is "CN¥" anyway.
  const sign = currency === "JPY" ? "narrowSymbol" : "symbol";
  const style = /^[A-Z]{3}$/.test(currency) ? { style: "currency", currency, currencyDisplay: sign } : { maximumFractionDigits: 2 };
  const most = new Intl.NumberFormat(undefined, style).resolvedOptions().maximumFractionDigits;
  const digits = Number.isInteger(amount) ? 0 : most;
  const written = new Intl.NumberFormat(undefined, { ...style, minimumFractionDigits: digits, maximumFractionDigits: most });
  // A code that is no word of three letters (kr) stands behind the number.
  return currency && !style.currency ? `${written.format(amount)} ${code}` : written.format(amount);
}

// Fields of what is paid instead of the price, and of what was paid before.
const REDUCED = /^(sale|special|discount(ed)?|offer|promo(tional)?|reduced)_?price$/i;
const FORMER = /^(compare_?at|regular|original|former|old|was|list|retail|full)(_?at)?_?price$|^(rrp|msrp|mrp|uvp)$/i;
export const isMoney = (name) => name === "price" || REDUCED.test(name) || FORMER.test(name);

// { now, before }: what an item costs as words; before is "" where it is not reduced.
export function pricesOf(item) {
  const { price, currency } = item.fields;
  if (typeof price !== "number") return { now: "", before: "" };
  const among = (names) => Object.entries(item.fields).find(([name, value]) => names.test(name) && typeof value === "number" && value > 0)?.[1];
  const [reduced, former] = [among(REDUCED), among(FORMER)];
  if (reduced < price) return { now: money(reduced, currency), before: money(price, currency) };
  return { now: money(price, currency), before: former > price ? money(former, currency) : "" };
}

export const sizesOf = (item) => String(item.fields.sizes ?? item.fields.size ?? "").split(";").filter(Boolean);

export const DATED = /^\d{4}-\d\d-\d\d/;
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
// The day that stands there, whatever the reader's time zone is.
export const formatDay = (text) => {
  const date = new Date(`${text.slice(0, 10)}T00:00Z`);
  return Number.isNaN(date.getTime()) ? text : day.format(date);
};

// "Clothing > Tops > Shirts" and "Default Category/Women/Shirts" are ways to a category.
export const pathOf = (value) => (value.includes(" > ") ? value.split(" > ") : (value.match(/\//g) ?? []).length > 1 ? value.split("/") : [value]);
export const leafOf = (value) => pathOf(value).at(-1).trim() || value;

// What the items of one garment differ in.
export const variantWord = (item, count) => {
  const word = COLORS.some((name) => item.fields[name]) ? "colour" : "variant";
  return count === 1 ? word : `${word}s`;
};
export const variantName = (item) => {
  const color = first(item.fields, COLORS);
  return color ? calm(sentence(String(color))) : nameOf(item);
};

export const lineOf = (item) => calm(item.fields.brand || (item.title ? leafOf(String(first(item.fields, KINDS) ?? "")) : ""));

// Catalogues that shout are read out in a normal voice; short words may be abbreviations, and what
// has digits may be a code, whose letters are as they are.
export const calm = (value) =>
  value.length > 2 && value === value.toUpperCase() && !/\d/.test(value) ? sentence(value.toLowerCase()) : value;

const AUTOMATIC = /^auto_/; // what coordi tells of an item, not its catalogue

// Numbers behind automatic fields: how sure they are, and how much of a garment a colour has.
export const isAside = (name) => /^auto_\w+_(confidence|share_\d)$/.test(name);

// family_group, baseColour → Family group, Base colour
export function fieldName(name) {
  const words = name.replace(AUTOMATIC, "").replace(/_/g, " ").replace(/([a-z])([A-Z])/g, "$1 $2");
  return sentence(words.toLowerCase()) + (AUTOMATIC.test(name) ? " (automatic)" : "");
}

export function fieldValue(name, value, item) {
  if (isMoney(name) && typeof value === "number") return money(value, item.fields.currency);
  if (value === true) return "Yes";
  if (value === false) return "No";
  if (name === "auto_colors") return value.split(";").join(", ");
  if (name === "sizes" || name === "size") return sizesOf(item).join(", ");
  if (typeof value === "string" && DATED.test(value)) return formatDay(value);
  return name === "currency" ? String(value) : calm(String(value));
}

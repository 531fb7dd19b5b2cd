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
  const words = [first(item.fields, COLORS), first(item.fields, KINDS)].filter(Boolean);
  if (words.length) return sentence(words.join(" ").toLowerCase());
  return item.description.slice(0, 60) || item.id;
}

export function priceOf(item) {
  const price = item.fields.price;
  if (typeof price !== "number") return "";
  const currency = String(item.fields.currency ?? "").toUpperCase();
  const digits = Number.isInteger(price) ? 0 : 2;
  const style = /^[A-Z]{3}$/.test(currency) ? { style: "currency", currency } : {};
  const options = { ...style, minimumFractionDigits: digits, maximumFractionDigits: 2 };
  return new Intl.NumberFormat(undefined, options).format(price);
}

// What the items of one garment differ in.
export const variantWord = (item, count) => {
  const word = COLORS.some((name) => item.fields[name]) ? "colour" : "variant";
  return count === 1 ? word : `${word}s`;
};
export const variantName = (item) => {
  const color = first(item.fields, COLORS);
  return color ? calm(sentence(String(color))) : nameOf(item);
};

export const lineOf = (item) => calm(item.fields.brand || (item.title ? first(item.fields, KINDS) : "") || "");

// Catalogues that shout are read out in a normal voice; short words may be abbreviations.
export const calm = (value) =>
  value.length > 2 && value === value.toUpperCase() ? sentence(value.toLowerCase()) : value;

// family_group, baseColour → Family group, Base colour
export function fieldName(name) {
  const words = name.replace(/_/g, " ").replace(/([a-z])([A-Z])/g, "$1 $2");
  return sentence(words.toLowerCase());
}

export function fieldValue(name, value, item) {
  if (name === "price") return priceOf(item) || String(value);
  if (value === true) return "Yes";
  if (value === false) return "No";
  if (name === "sizes") return String(value).split(";").join(", ");
  return name === "currency" ? String(value) : calm(String(value));
}

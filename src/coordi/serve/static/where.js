// The chosen filters as one expression of the service's filter language.

const field = (name) => "`" + name.replaceAll("`", "``") + "`";
const text = (value) => "'" + value.replaceAll("'", "''") + "'";

function term(name, choice) {
  const parts = [];
  if (choice.many && choice.values?.length) parts.push(`(${choice.values.map((value) => `${field(name)} has ${text(value)}`).join(" or ")})`);
  else if (choice.values?.length) parts.push(`${field(name)} in (${choice.values.map(text).join(", ")})`);
  if (choice.yes) parts.push(`${field(name)} = true`);
  const bound = (value) => (typeof value === "string" ? text(value) : value);
  if (choice.min !== undefined) parts.push(`${field(name)} >= ${bound(choice.min)}`);
  if (choice.max !== undefined) parts.push(`${field(name)} <= ${bound(choice.max)}`);
  return parts;
}

// The items of one garment.
export const sameAs = (name, value) => `${field(name)} = ${typeof value === "string" ? text(value) : value}`;

// { added: { min: "2024-03-01" } }, { color: { values: ["red"] }, price: { max: 50 }, sale: { yes: true } }
export const whereOf = (filters) =>
  Object.entries(filters)
    .flatMap(([name, choice]) => term(name, choice))
    .join(" and ");

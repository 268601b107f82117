// A query as chips: what the server says that its parts are. The page never reads the grammar itself, it only puts parts together.

export const isWord = (part) => part.kind === "word";
export const join = (parts) => parts.map((part) => part.text ?? part).filter(Boolean).join(" ");

const inQuotes = (text) => `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"')}"`;
const quoted = (text) => (/^[^\s",:+-][^\s",]*$/.test(text) ? text : inQuotes(text));

export const filter = (name, values, isExcluded = false) => `${isExcluded ? "-" : ""}${name}:${values.map(quoted).join(",")}`;
export const like = (id, weight = 1) => weighted("image", id, weight);

function weighted(name, text, weight) {
  const sign = weight < 0 ? "-" : "+";
  const size = Math.round(Math.abs(weight) * 10) / 10;
  return `${weight === 1 ? "" : `${sign}${size}:`}${name ? `${name}:${text}` : inQuotes(text)}`;
}

// The same part with another weight; none takes it away.
export function withWeight(part, weight) {
  if (!weight) return null;
  return weighted(part.kind === "image" ? "image" : "", part.values[0], weight);
}

// How a value of a filter is chosen: wanted, one of several, or not wanted.
export function chosen(parts, name, value) {
  for (const part of parts) {
    if (part.name !== name || !part.values.includes(value)) continue;
    if (part.is_excluded) return "not";
    return part.values.length > 1 || (name !== "tag" && manyOf(parts, name)) ? "or" : "want";
  }
  return null;
}
const manyOf = (parts, name) => parts.filter((part) => part.name === name && !part.is_excluded).flatMap((part) => part.values).length > 1;

// The query without a value, or with it chosen so.
export function choose(parts, name, value, how, isAlike = () => true) {
  const rest = parts.flatMap((part) => {
    if (part.name !== name || !part.values.includes(value)) return [part];
    const values = part.values.filter((other) => other !== value);
    return values.length ? [{ ...part, values, text: filter(name, values, part.is_excluded) }] : [];
  });
  if (!how) return join(rest);
  if (how === "not") return join([...rest, filter(name, [value], true)]);
  if (how === "or") {
    const at = rest.findIndex((part) => part.name === name && !part.is_excluded && part.values.some(isAlike));
    if (at >= 0) {
      const values = [...rest[at].values, value];
      return join(rest.with(at, { ...rest[at], values, text: filter(name, values) }));
    }
  }
  return join([...rest, filter(name, [value])]);
}

// The query with one filter of a name, in the place of all others of it.
export function only(parts, names, text) {
  return join([...parts.filter((part) => !names.includes(part.name)), text]);
}

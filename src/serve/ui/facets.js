// The rail: what hits have in common, and how to narrow, widen or swap it. A click wants a value, with Shift it is one of several, with
// Alt it is not wanted.
import { go } from "./address.js";
import { choose, chosen, only } from "./chips.js";
import { html, nothing } from "./dom.js";
import { month, number, t } from "./text.js";

const FIRST = 12;
const open = new Set();
const typed = new Map();

// The longest beginning that all folders have tells nothing.
export function common(folders) {
  if (folders.length < 2) return folders[0]?.replace(/[^/]*$/, "") ?? "";
  let prefix = folders[0];
  for (const folder of folders) while (!folder.startsWith(prefix)) prefix = prefix.slice(0, prefix.lastIndexOf("/", prefix.length - 2) + 1);
  return prefix.endsWith("/") ? prefix : prefix.slice(0, prefix.lastIndexOf("/") + 1);
}

function groups(facets) {
  const sets = new Map();
  for (const { set, label, count } of facets.tags) {
    if (!sets.has(set)) sets.set(set, []);
    sets.get(set).push({ name: "tag", value: `${set}/${label}`, shown: label, count });
  }
  const plain = (name, counts, shown = (value) => value) => counts.map(({ value, count }) => ({ name, value, shown: shown(value), count }));
  const prefix = common(facets.folders.map((folder) => folder.value));
  const times = facets.years.length > 1 ? plain("taken", facets.years) : plain("taken", facets.months, month);
  return [
    ...[...sets].sort(([a], [b]) => a.localeCompare(b)).map(([set, values]) => ({ id: `set ${set}`, title: set === "file" ? t("keywords") : set, values })),
    { id: "taken", title: t("taken"), values: times },
    { id: "path", title: t("folders"), values: plain("path", facets.folders, (value) => value.slice(prefix.length) || value) },
    { id: "camera", title: t("cameras"), values: plain("camera", facets.cameras) },
    { id: "format", title: t("formats"), values: plain("format", facets.formats) },
  ];
}

export function rail(list, redraw) {
  const parts = list?.parts ?? [];
  if (!list?.facets) return nothing;
  const shown = groups(list.facets);
  // A value that is chosen stays where it is though nothing has it any more.
  for (const part of parts.filter((one) => one.kind === "filter")) {
    for (const value of part.values) {
      const group = shown.find((one) => one.id === (part.name === "tag" ? `set ${value.split("/")[0]}` : part.name));
      if (group && !group.values.some((one) => one.value === value)) group.values.unshift({ name: part.name, value, shown: value.split("/").at(-1), count: 0 });
    }
  }
  return shown.filter((group) => group.values.length).map((group) => section(group, parts, redraw));
}

function section({ id, title, values }, parts, redraw) {
  const words = typed.get(id)?.toLocaleLowerCase() ?? "";
  const isChosen = ({ name, value }) => chosen(parts, name, value);
  const found = values.filter((value) => !words || value.shown.toLocaleLowerCase().includes(words));
  const first = [...found.filter(isChosen), ...found.filter((value) => !isChosen(value))];
  const isOpen = open.has(id);
  const some = isOpen ? first : first.slice(0, FIRST);
  const turn = () => { if (isOpen) { open.delete(id); typed.delete(id); } else open.add(id); redraw(); };
  return html`<section><h2><bdi>${title}</bdi></h2>
    ${isOpen ? html`<input type="search" aria-label=${t("filterValues", title)} placeholder=${t("filterValues", title)}
      @input=${(event) => { typed.set(id, event.target.value); redraw(); }}>` : nothing}
    <ul>${some.map((value) => html`<li>${row(value, parts)}</li>`)}</ul>
    ${values.length > FIRST ? html`<button type="button" class="plain" aria-expanded=${isOpen} @click=${turn}>${isOpen ? t("fewer") : t("all", number(values.length))}</button>` : nothing}
  </section>`;
}

function row({ name, value, shown, count }, parts) {
  const how = chosen(parts, name, value);
  const set = value.split("/")[0];
  const isAlike = (other) => name !== "tag" || other.split("/")[0] === set;
  const pick = (event) => {
    const wanted = event.altKey ? "not" : event.shiftKey ? "or" : "want";
    const next = wanted === how || (how && wanted === "want") ? null : wanted;
    const q = name === "taken" && next === "want" ? only(parts, ["taken", "after", "before"], `taken:${value}`) : choose(parts, name, value, next, isAlike);
    go({ view: "pictures", q });
  };
  const without = (event) => { event.stopPropagation(); go({ view: "pictures", q: choose(parts, name, value, how === "not" ? null : "not") }); };
  return html`<button type="button" class="value ${how ?? ""}" aria-pressed=${Boolean(how)} title=${t("facetHelp")} @click=${pick}>
      <bdi>${how === "not" ? "− " : how === "or" ? "∪ " : ""}${shown}</bdi><small>${number(count)}</small></button>
    <button type="button" class="without" aria-pressed=${how === "not"} aria-label=${t("without", shown)} @click=${without}>−</button>`;
}


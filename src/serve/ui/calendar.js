// Beside the pictures: the months of a list by date, to go to one of them, or the line at which a ranking ends, to drag.
import { go } from "./address.js";
import { join } from "./chips.js";
import { html, nothing } from "./dom.js";
import { decimal, number, period, t } from "./text.js";

export function scrubber(grid, list) {
  if (!list?.isLoaded || list.error) return nothing;
  if (list.sections.length > 1) return months(grid, list);
  return list.isRanked && list.fits !== undefined ? ruler(list) : nothing;
}

function months(grid, list) {
  const all = list.sections;
  let year = "";
  let labelled = -Infinity;
  const apart = all.length / 36;
  return html`<nav class="months" aria-label=${t("months")}><ol>${all.map((section, at) => {
    const isNew = section.month.slice(0, 4) !== year && at - labelled >= apart;
    if (isNew) labelled = at;
    if (isNew || at - labelled >= apart) year = section.month.slice(0, 4);
    return html`<li><button type="button" tabindex=${at ? -1 : 0} aria-label=${`${period(section.month)}: ${number(section.count)}`}
      @keydown=${walk} @click=${() => grid.scrollToMonth(section.month)}>${isNew ? html`<b>${year}</b>` : html`<i></i>`}</button></li>`;
  })}</ol></nav>`;
}

// One Tab stop; arrows go from month to month.
function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  event.stopPropagation();
  const buttons = [...event.currentTarget.closest("ol").querySelectorAll("button")];
  buttons[buttons.indexOf(event.currentTarget) + step]?.focus();
}

const USUAL = 50;
const named = (list) => list.parts.find((part) => part.name === "strictness");

function ruler(list) {
  const value = Number(named(list)?.values[0] ?? USUAL);
  const last = list.sections[0].items.at(-1);
  const strict = (event) => {
    const q = join([...list.parts.filter((part) => part.name !== "strictness"), `strictness:${event.target.value}`]);
    go({ q }, { replace: true });
  };
  const says = last?.z === undefined ? "" : t("endsAt", decimal(last.z));
  return html`<div class="ruler"><label title=${says}><span>${t("strict")}</span>
    <input type="range" min="0" max="100" step="5" .value=${String(value)} aria-valuetext=${t("strictness", value)} @change=${strict}>
    <span>${t("loose")}</span></label></div>`;
}

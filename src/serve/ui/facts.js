// What is known of a picture, in rows and strips: for whoever shows it whole.
import { href, now } from "./address.js";
import { filter } from "./chips.js";
import { fileName, html, isVideo, nothing, thumbnail } from "./dom.js";
import { bytes, decimal, minutes, number, t, time } from "./text.js";

export function known(item) {
  const guess = item.date_source?.startsWith("file_") ? "≈ " : "";
  return [
    [t("taken"), item.taken_at && guess + time(item.taken_at)],
    [t("camera"), item.camera], [t("lens"), item.lens],
    [t("size"), `${number(item.width)} × ${number(item.height)}`],
    [t("length"), isVideo(item) && minutes(item.duration_ms)],
    [t("file"), `${item.format.toUpperCase()}, ${bytes(item.size_bytes)}`],
    [t("rating"), item.rating && "★".repeat(item.rating)],
    [t("id"), item.id.slice(0, 12)],
  ].filter(([, value]) => value);
}

// Each part of a path finds what lies there.
export function path(whole) {
  const parts = whole.split("/");
  return html`<li><bdi>${parts.slice(1).map((one, at) => {
    const folder = parts.slice(0, at + 2).join("/");
    return at + 2 === parts.length ? html`/${one}` : html`/<a href=${href({ q: filter("path", [folder]) })}>${one}</a>`;
  })}</bdi></li>`;
}

const MOST_Z = 6;
// What one term of a query says of it.
export function bar({ term, weight, z, similarity }) {
  const share = Math.min(1, Math.max(0, (z ?? similarity * 10) / MOST_Z));
  const says = z === undefined ? decimal(similarity) : t("deviations", decimal(z));
  return html`<li><bdi>${weight < 0 ? "− " : ""}${/^[0-9a-f]{64}$/.test(term) ? t("likePicture") : term}</bdi>
    <progress class=${weight < 0 ? "not" : ""} max="1" value=${share} aria-label=${says}></progress><small>${says}</small></li>`;
}

// As the view of duplicates has it.
export const isDuplicate = (other) => other.score >= 0.97;

export function strip(title, others) {
  if (!others.length) return nothing;
  const link = (other) => html`<a href=${href({ ...now(), image: other.id })}><img loading="lazy" alt=${fileName(other.path)} src=${thumbnail(other, 160)}></a>`;
  return html`<section><h3>${title}</h3><div class="strip">${others.map(link)}</div></section>`;
}

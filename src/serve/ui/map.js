// Places: how many pictures were taken where, by cells that get smaller the closer one looks.
import { askLast, isAborted, params } from "./api.js";
import { go, href, now } from "./address.js";
import { html, nothing, render, svg } from "./dom.js";
import { LAND } from "./land.js";
import { decimal, number, t } from "./text.js";
import { fail } from "./toast.js";

const ACROSS = 24;
const MOST_ZOOM = 64;
let places = null;
let root = null;
let asked = "";

const land = () => svg`<path class="land" d=${LAND}></path>`;

const read = ({ lat, lon, zoom, q }) => ({ q, lat: Number(lat) || 20, lon: Number(lon) || 0, zoom: Math.min(MOST_ZOOM, Math.max(1, Number(zoom) || 1)) });

export function show(state, into) {
  root = into;
  draw();
  load(read(state));
}

async function load({ q, zoom }) {
  const cell = 360 / zoom / ACROSS;
  const wanted = params({ q, cell_degrees: cell });
  if (wanted === asked) return;
  asked = wanted;
  try {
    places = await askLast("places", `places?${wanted}`);
    draw();
  } catch (error) {
    asked = "";
    if (!isAborted(error)) fail(error);
  }
}

function draw() {
  const { q, lat, lon, zoom } = read(now());
  const [width, height] = [360 / zoom, 180 / zoom];
  const scale = (count) => (0.4 + Math.min(1, Math.log2(count + 1) / 8)) / zoom;
  const move = (change) => go({ lat: (lat + (change.lat ?? 0)).toFixed(3), lon: (lon + (change.lon ?? 0)).toFixed(3), zoom: Math.min(MOST_ZOOM, Math.max(1, zoom * (change.zoom ?? 1))) }, { replace: true });
  const cells = places?.cells ?? [];
  render(html`<section class="map"><h1>${t("views").map}</h1>
    <p class="summary" role="status">${places ? t("placed", number(cells.reduce((sum, cell) => sum + cell.count, 0)), number(places.nowhere)) : t("looking")}</p>
    <div class="buttons">
      <button type="button" aria-label=${t("zoomIn")} @click=${() => move({ zoom: 2 })}>+</button>
      <button type="button" aria-label=${t("zoomOut")} @click=${() => move({ zoom: 0.5 })}>−</button>
      <button type="button" aria-label=${t("west")} @click=${() => move({ lon: -width / 4 })}>←</button>
      <button type="button" aria-label=${t("east")} @click=${() => move({ lon: width / 4 })}>→</button>
      <button type="button" aria-label=${t("north")} @click=${() => move({ lat: height / 4 })}>↑</button>
      <button type="button" aria-label=${t("south")} @click=${() => move({ lat: -height / 4 })}>↓</button>
      ${q ? html`<a class="button" href="/map">${t("allPlaces")}</a>` : nothing}</div>
    <svg class="world" viewBox="-180 -90 360 180" role="group" aria-label=${t("views").map}
      @wheel=${(event) => { event.preventDefault(); move({ zoom: event.deltaY < 0 ? 1.5 : 1 / 1.5 }); }}>
      <g transform=${`scale(${zoom}) translate(${-lon} ${lat})`}>${land()}${cells.map((cell) => svg`<a href=${href({ q: `${q ? `${q} ` : ""}area:${area(cell)}` })} aria-label=${t("picturesAt", cell.count, decimal(cell.centre[0]), decimal(cell.centre[1]))}>
        <g transform=${`translate(${cell.centre[1]} ${-cell.centre[0]}) scale(${scale(cell.count)})`}><circle class="cell" r="7"></circle><text>${number(cell.count)}</text></g></a>`)}</g>
    </svg>
    <div class="strip">${cells.slice(0, 24).map((cell) => html`<a href=${href({ q: `area:${area(cell)}` })}>
      <img loading="lazy" alt=${t("picturesAt", cell.count, decimal(cell.centre[0]), decimal(cell.centre[1]))} src=${`/api/v1/images/${cell.image}/thumbnail?size=160`}>
      <small>${number(cell.count)}</small></a>`)}</div></section>`, root);
}

// A little more than the cell's own edges, which are rounded.
const area = ({ area: [south, west, north, east] }) => [Math.max(-90, south - 0.0001), Math.max(-180, west - 0.0001), Math.min(90, north + 0.0001), Math.min(180, east + 0.0001)].map((value) => value.toFixed(4)).join(",");

export const leave = () => { asked = ""; };

// Where one picture was taken, on a map the size of a stamp.
import { href } from "./address.js";
import { html, nothing, svg } from "./dom.js";
import { decimal, t } from "./text.js";
import { fail } from "./toast.js";

// What is found as nearby lies so many degrees around it.
const NEARBY = 0.05;
let outline = null;

// The outline of land comes with the first picture whose place is known.
function land(redraw) {
  if (outline) return outline;
  import("./land.js").then(({ LAND }) => {
    outline = svg`<path class="land" d=${LAND}></path>`;
    redraw();
  }).catch(fail);
  return nothing;
}

export function smallMap({ latitude, longitude }, redraw) {
  const corners = [latitude - NEARBY, longitude - NEARBY, latitude + NEARBY, longitude + NEARBY];
  const area = corners.map((degrees) => degrees.toFixed(4)).join(",");
  const says = `${decimal(latitude)}, ${decimal(longitude)}`;
  return html`<a href=${href({ q: `area:${area}` })} aria-label=${t("nearby")}>
    <svg class="small-map" viewBox="-180 -90 360 180" role="img" aria-label=${says}>${land(redraw)}
      ${svg`<g transform=${`translate(${longitude} ${-latitude})`}><circle r="5"></circle></g>`}</svg></a><p>${says}</p>`;
}

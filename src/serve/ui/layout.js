// Rows of pictures that fill the width, each as high as its pictures make it: pure arithmetic, so that a hundred thousand of them are
// placed before one is shown.

export const GAP = 4;

// Very flat and very tall pictures are cut to this.
const FLATTEST = 4;
const TALLEST = 0.4;
export const aspect = (item) => Math.min(FLATTEST, Math.max(TALLEST, (item.width || 4) / (item.height || 3)));
const USUAL = 1.4;

// Rows for pictures from `first` on. The last one is not stretched beyond `height` where nothing follows; where the list goes on
// elsewhere it fills the width like all others, if need be together with the one above it.
export function rows(items, first, width, height, { isEnd, goesOn }) {
  const made = [];
  let row = [];
  for (let at = first; at < items.length; at += 1) {
    row.push(aspect(items[at]));
    const fitting = filling(row, width);
    if (fitting <= height) {
      made.push(placed(row, at + 1 - row.length, fitting));
      row = [];
    }
  }
  if (!row.length || !isEnd) return made;
  if (!goesOn) return [...made, placed(row, items.length - row.length, height)];
  if (made.length && filling(row, width) > 2 * height) row.unshift(...made.pop().tiles.map((tile) => aspect(items[tile.at])));
  return [...made, placed(row, items.length - row.length, filling(row, width))];
}

const filling = (row, width) => (width - GAP * (row.length - 1)) / row.reduce((sum, ratio) => sum + ratio, 0);

function placed(row, first, height) {
  let left = 0;
  const tiles = row.map((ratio, at) => {
    const tile = { at: first + at, left, width: ratio * height };
    left += tile.width + GAP;
    return tile;
  });
  return { tiles, height };
}

// How high so many pictures will be, as far as that can be told before their sizes are known.
export function estimated(count, width, height) {
  const each = Math.max(1, Math.round(width / (height * USUAL)));
  return Math.ceil(count / each) * (height + GAP);
}

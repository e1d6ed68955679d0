/**
 * Where the tiles go: pure arithmetic on rectangles, in CSS pixels.
 * @module
 */

/** @typedef {{x: number, y: number, width: number, height: number}} Rectangle */

const GAP = 8; // px
const WIDEST = 16 / 9; // most cameras
const NARROWEST = 4 / 5; // a face still fits when a wide picture is cropped to it
const LEAST_STRIP = 0.2; // share of the area that people get beside a shared screen
const MOST_STRIP = 0.42; // the same; what was made large must stay the largest
const LEAST_STRIP_SIZE = 110; // px; a face in less is a dot

/**
 * The number of columns that shows most of everybody.
 * @param {number} count
 * @param {number} width of the whole area
 * @param {number} height
 * @param {number} [gap] between tiles
 * @returns {{columns: number, rows: number, width: number, height: number}} size of one tile
 */
export function bestGrid(count, width, height, gap = GAP) {
  let best = { columns: 1, rows: Math.max(count, 1), width: 0, height: 0 };
  let most = 0;
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const cellWidth = Math.max(0, (width - gap * (columns - 1)) / columns);
    const cellHeight = Math.max(0, (height - gap * (rows - 1)) / rows);
    const tile = fit(cellWidth, cellHeight);
    const value = worth(tile);
    if (value > most) {
      most = value;
      best = { columns, rows, ...tile };
    }
  }
  return best;
}

/**
 * The area of a tile, less for what cropping a picture to its shape takes away.
 * @param {{width: number, height: number}} tile
 */
function worth({ width, height }) {
  return height && width * height * Math.sqrt(width / height / WIDEST);
}

/**
 * The largest tile of a pleasant shape in a cell.
 * @param {number} width
 * @param {number} height
 */
function fit(width, height) {
  return {
    width: Math.floor(Math.min(width, height * WIDEST)),
    height: Math.floor(Math.min(height, width / NARROWEST)),
  };
}

/**
 * Tiles of equal size, centred as a whole, the last row as well.
 * @param {number} count
 * @param {Rectangle} area
 * @returns {Rectangle[]}
 */
export function arrangeGrid(count, area) {
  const { columns, rows, width, height } = bestGrid(count, area.width, area.height);
  const top = area.y + (area.height - rows * height - (rows - 1) * GAP) / 2;
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = Math.min(columns, count - row * columns);
    const left = area.x + (area.width - inRow * width - (inRow - 1) * GAP) / 2;
    return {
      x: Math.round(left + (index - row * columns) * (width + GAP)),
      y: Math.round(top + row * (height + GAP)),
      width,
      height,
    };
  });
}

/**
 * One tile large, the others in a strip beside or below it.
 * @param {number} count of all tiles
 * @param {number} focused index of the large one; -1 for none
 * @param {number} width
 * @param {number} height
 * @param {number} [shape] width of the large one's picture for a height of 1
 * @returns {Rectangle[]} in the order of the tiles
 */
export function arrange(count, focused, width, height, shape = WIDEST) {
  const whole = { x: 0, y: 0, width, height };
  if (focused < 0) return arrangeGrid(count, whole);
  if (count === 1) return [whole];
  // The strip takes what the large picture would leave empty.
  const beside = width >= height;
  const [along, across] = beside ? [width, height * shape] : [height, width / shape];
  const least = Math.max(along * LEAST_STRIP, LEAST_STRIP_SIZE);
  /** @param {number} wanted size of the strip */
  const divide = (wanted) => {
    const strip = Math.round(Math.max(least, wanted));
    const large = Math.max(0, along - strip - GAP);
    const first = beside ? { width: large, height } : { width, height: large };
    const second = beside
      ? { x: width - strip, y: 0, width: strip, height }
      : { x: 0, y: height - strip, width, height: strip };
    const others = arrangeGrid(count - 1, second);
    others.splice(focused, 0, { x: 0, y: 0, ...first });
    return others;
  };
  const empty = along - across - GAP;
  const tight = divide(empty);
  return isLargest(tight, focused) ? tight : divide(Math.min(empty, along * MOST_STRIP));
}

/**
 * @param {Rectangle[]} tiles
 * @param {number} index
 */
function isLargest(tiles, index) {
  const areas = tiles.map(({ width, height }) => width * height);
  return Math.max(...areas) === areas[index];
}

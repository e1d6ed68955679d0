import assert from "node:assert/strict";
import { test } from "node:test";
import { arrange, arrangeGrid, bestGrid } from "../../web/page/grid.js";

const SCREENS = [
  [1280, 720],
  [1920, 1000],
  [390, 700],
  [700, 390],
  [320, 320],
];

/** @param {{x: number, y: number, width: number, height: number}[]} tiles */
function assertDisjointInside(tiles, width, height) {
  for (const [index, tile] of tiles.entries()) {
    assert.ok(tile.width > 0 && tile.height > 0, "a tile has a size");
    assert.ok(tile.x >= 0 && tile.x + tile.width <= width + 1, "inside, sideways");
    assert.ok(tile.y >= 0 && tile.y + tile.height <= height + 1, "inside, up and down");
    for (const other of tiles.slice(index + 1)) {
      const apart =
        tile.x + tile.width <= other.x ||
        other.x + other.width <= tile.x ||
        tile.y + tile.height <= other.y ||
        other.y + other.height <= tile.y;
      assert.ok(apart, "tiles do not overlap");
    }
  }
}

test("no number of people makes tiles overlap or leave the screen", () => {
  for (const [width, height] of SCREENS) {
    for (let count = 1; count <= 60; count++) {
      const tiles = arrange(count, -1, width, height);
      assert.equal(tiles.length, count);
      assertDisjointInside(tiles, width, height);
    }
  }
});

test("nor does a large tile, whichever it is", () => {
  for (const [width, height] of SCREENS) {
    for (const count of [1, 2, 3, 7, 20]) {
      for (let focused = 0; focused < count; focused++) {
        const tiles = arrange(count, focused, width, height);
        assertDisjointInside(tiles, width, height);
        const areas = tiles.map((tile) => tile.width * tile.height);
        if (width !== height) assert.equal(Math.max(...areas), areas[focused]);
      }
    }
  }
});

test("four people are two by two on a wide screen, six are two columns on a phone", () => {
  assert.equal(bestGrid(4, 1280, 720).columns, 2);
  assert.equal(bestGrid(6, 390, 700).columns, 2);
});

test("two people are beside each other on a wide screen and below on a phone", () => {
  assert.equal(bestGrid(2, 1280, 600).columns, 2);
  assert.equal(bestGrid(2, 390, 700).columns, 1);
});

test("three people on a desktop are not cropped to thirds", () => {
  assert.equal(bestGrid(3, 976, 560).columns, 2);
});

test("tiles are never wider than a camera's picture", () => {
  for (const [width, height] of SCREENS) {
    for (let count = 1; count <= 30; count++) {
      const grid = bestGrid(count, width, height);
      assert.ok(grid.width <= ((grid.height + 1) * 16) / 9);
    }
  }
});

test("a last row that is not full is centred", () => {
  const [first, second, third] = arrangeGrid(3, { x: 0, y: 0, width: 976, height: 560 });
  assert.equal(first.y, second.y);
  assert.ok(third.y > first.y);
  assert.ok(Math.abs(third.x + third.width / 2 - 976 / 2) <= 1);
});

test("one large tile alone fills everything", () => {
  assert.deepEqual(arrange(1, 0, 800, 600), [{ x: 0, y: 0, width: 800, height: 600 }]);
});

test("a place without size or people is no trouble", () => {
  assert.equal(arrange(0, -1, 800, 600).length, 0);
  assert.equal(arrange(3, -1, 0, 0).length, 3);
  assert.equal(arrange(3, 1, 0, 0).length, 3);
});

test("a large picture gets the place that its shape needs, the others get the rest", () => {
  for (const [width, height, shape] of [
    [344, 520, 4 / 3],
    [640, 260, 4 / 3],
    [1200, 700, 1 / 2],
    [344, 520, 16 / 9],
  ]) {
    const tiles = arrange(4, 3, width, height, shape);
    assertDisjointInside(tiles, width, height);
    const large = tiles[3];
    const shown = Math.min(large.width, large.height * shape);
    assert.ok(shown >= 0.95 * Math.min(width, height * shape), `${width} ${height} ${shape}`);
    assert.ok((shown * shown) / shape >= 0.9 * large.width * large.height, "it is filled");
  }
});

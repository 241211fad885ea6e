// Makes the console's world map data: land.bin, the coastlines, and the core's zones.txt, a place of each time zone.
//
//     npm install --prefix DIR world-atlas@2
//     node host-web/map/reduce.mjs DIR/node_modules/world-atlas/land-50m.json /usr/share/zoneinfo
//
// The coastlines are Natural Earth's 1:50m land, in the public domain, as the npm package world-atlas
// has them. The second folder is that of the tz database (Debian's package tzdata), in the public domain
// too: zone.tab has the places, tzdata.zi the older names. The same input gives the same bytes.

import { readFileSync, writeFileSync } from "node:fs";

/** Steps of a coordinate per degree. A twentieth of a degree is at most 5.6 km. */
const STEPS = 20;
/** A corner that moves the coastline by less than this many degrees is left out. */
const TOLERANCE = 0.11;
/** A ring whose bounding box is smaller than this many square degrees is left out. */
const AREA_MIN = 0.35;

const here = (name) => new URL(name, import.meta.url);

/** The arcs of a TopoJSON file as lists of [longitude, latitude]. */
function arcsOf(topology) {
  const { scale, translate } = topology.transform;
  return topology.arcs.map((arc) => {
    let x = 0;
    let y = 0;
    return arc.map(([dx, dy]) => {
      x += dx;
      y += dy;
      return [x * scale[0] + translate[0], y * scale[1] + translate[1]];
    });
  });
}

/** A ring's points; a negative index is an arc that is walked backwards. */
function ringOf(arcs, indices) {
  const points = [];
  for (const index of indices) {
    const arc = index < 0 ? arcs[~index].toReversed() : arcs[index];
    points.push(...(points.length > 0 ? arc.slice(1) : arc));
  }
  return points;
}

/** The part of a ring on one side of a meridian, which is a side of the result where it is crossed. */
function clipped(ring, meridian, isInside) {
  return ring.flatMap(([x, y], i) => {
    const [px, py] = ring.at(i - 1);
    const t = (meridian - px) / (x - px);
    const crossing = isInside(x) === isInside(px) ? [] : [[meridian, py + t * (y - py)]];
    return isInside(x) ? [...crossing, [x, y]] : crossing;
  });
}

/**
 * A closed ring that may cross the antimeridian, as rings between -180 and 180 degrees. One that goes all
 * around the world is closed along the South Pole.
 */
function cutRing(ring) {
  let turns = 0;
  const open = ring.map(([x, y], i) => {
    const step = i > 0 ? x - ring[i - 1][0] : 0;
    turns += step > 180 ? -1 : step < -180 ? 1 : 0;
    return [x + 360 * turns, y];
  });
  if (turns !== 0) {
    open.push([open.at(-1)[0], -90], [open[0][0], -90]);
  } else {
    open.pop();
  }
  return [-360, 0, 360]
    .map((shift) => open.map(([x, y]) => [x + shift, y]))
    .map((moved) => clipped(moved, -180, (x) => x >= -180))
    .map((moved) => clipped(moved, 180, (x) => x <= 180))
    .filter((part) => part.length > 2)
    .map((part) => [...part, part[0]]);
}

/** How far a point is from the line between two others, in degrees. */
function distance([x, y], [ax, ay], [bx, by]) {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const along = length > 0 ? ((x - ax) * dx + (y - ay) * dy) / length : 0;
  const t = Math.min(1, Math.max(0, along));
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}

/** Source: Douglas and Peucker, "Algorithms for the reduction of the number of points", 1973. */
function simplified(points) {
  if (points.length < 3) return points;
  let far = 0;
  let at = 0;
  for (let i = 1; i < points.length - 1; i += 1) {
    const d = distance(points[i], points[0], points.at(-1));
    if (d > far) [far, at] = [d, i];
  }
  if (far < TOLERANCE) return [points[0], points.at(-1)];
  return [...simplified(points.slice(0, at + 1)).slice(0, -1), ...simplified(points.slice(at))];
}

/** A ring is closed: it is cut in two where it is farthest from its start, and each half simplified. */
function simplifiedRing(ring) {
  let far = 0;
  let at = 0;
  ring.forEach(([x, y], i) => {
    const d = Math.hypot(x - ring[0][0], y - ring[0][1]);
    if (d > far) [far, at] = [d, i];
  });
  return [...simplified(ring.slice(0, at + 1)).slice(0, -1), ...simplified(ring.slice(at))];
}

/** The bounding box's area, in square degrees. */
function area(ring) {
  const xs = ring.map(([x]) => x);
  const ys = ring.map(([, y]) => y);
  return (Math.max(...xs) - Math.min(...xs)) * (Math.max(...ys) - Math.min(...ys));
}

/** Seven bits a byte, the lowest first; the highest bit says that more follow. */
function varint(bytes, number) {
  for (; number > 127; number >>>= 7) bytes.push((number & 127) | 128);
  bytes.push(number);
}

/** Small numbers of either sign become small ones without: 0, -1, 1, -2, 2. */
const zigzag = (number) => (number < 0 ? -2 * number - 1 : 2 * number);

/**
 * The number of rings; of each ring the number of its points; of each point how much longitude and latitude
 * differ from the point before, in steps. The first point of a ring differs from the last one of the ring
 * before. A ring's last point, which is its first again, is left out.
 */
function land(path) {
  const topology = JSON.parse(readFileSync(path, "utf8"));
  const arcs = arcsOf(topology);
  const polygons = topology.objects.land.geometries.flatMap((geometry) =>
    geometry.type === "Polygon" ? [geometry.arcs] : geometry.arcs,
  );
  const rings = polygons
    .flat()
    .flatMap((indices) => cutRing(ringOf(arcs, indices)))
    .filter((ring) => area(ring) >= AREA_MIN)
    .map((ring) => simplifiedRing(ring).slice(0, -1))
    .filter((ring) => ring.length > 2);
  const bytes = [];
  let before = [0, 0];
  varint(bytes, rings.length);
  for (const ring of rings) {
    varint(bytes, ring.length);
    for (const [longitude, latitude] of ring) {
      const point = [Math.round(longitude * STEPS), Math.round(latitude * STEPS)];
      varint(bytes, zigzag(point[0] - before[0]));
      varint(bytes, zigzag(point[1] - before[1]));
      before = point;
    }
  }
  const points = rings.reduce((sum, ring) => sum + ring.length, 0);
  console.log(`land.bin: ${rings.length} rings, ${points} points, ${bytes.length} bytes`);
  return Uint8Array.from(bytes);
}

/** Tenths of a degree from degrees and minutes, such as +5230 or -0740023. */
function tenths(text, degreeDigits) {
  const digits = text.slice(1);
  const degrees = Number(digits.slice(0, degreeDigits));
  const minutes = Number(digits.slice(degreeDigits, degreeDigits + 2));
  return Math.round((degrees + minutes / 60) * 10) * (text[0] === "-" ? -1 : 1);
}

/** The places of zone.tab, and the older names that lead to one of them. */
function places(folder) {
  const known = new Map();
  for (const line of readFileSync(`${folder}/zone.tab`, "utf8").split("\n")) {
    if (line.startsWith("#") || line === "") continue;
    const [, coordinates, zone] = line.split("\t");
    const [, latitude, longitude] = /^([+-]\d+)([+-]\d+)$/.exec(coordinates);
    known.set(zone, [tenths(latitude, 2), tenths(longitude, 3)]);
  }
  for (const line of readFileSync(`${folder}/tzdata.zi`, "utf8").split("\n")) {
    const [kind, target, alias] = line.split(" ");
    const place = kind === "L" && alias.includes("/") ? known.get(target) : undefined;
    if (place && !known.has(alias)) known.set(alias, place);
  }
  return known;
}

/** A line with a region, then its zones: name, latitude and longitude in tenths of a degree. */
function zones(folder) {
  const known = [...places(folder)].sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = [];
  let region = "";
  for (const [zone, [latitude, longitude]] of known) {
    const slash = zone.indexOf("/");
    if (zone.slice(0, slash) !== region) lines.push((region = zone.slice(0, slash)));
    lines.push(`${zone.slice(slash + 1)} ${latitude} ${longitude}`);
  }
  const text = `${lines.join("\n")}\n`;
  console.log(`zones.txt: ${known.length} zones, ${text.length} bytes`);
  return text;
}

const [landPath, zoneFolder] = process.argv.slice(2);
if (!landPath || !zoneFolder) {
  console.error("usage: node reduce.mjs LAND-50M.JSON ZONEINFO-FOLDER");
  process.exit(2);
}
writeFileSync(here("land.bin"), land(landPath));
writeFileSync(here("../../core/src/observe/zones.txt"), zones(zoneFolder));

"use strict";
// Graphs that can be moved and zoomed, rows that open, and a mark on all that belongs to the launch under the pointer.

const all = (query, within = document) => [...within.querySelectorAll(query)];

// ---- graphs: the view box of the drawing follows pointer and wheel

for (const svg of all("svg.graph")) {
  const box = svg.viewBox.baseVal;
  const whole = {x: box.x, y: box.y, width: box.width, height: box.height};
  const set = (x, y, width, height) => Object.assign(box, {x, y, width, height});
  const scale = () => Math.max(box.width / svg.clientWidth, box.height / svg.clientHeight);

  const zoom = (factor, clientX, clientY) => {
    const by = Math.min(Math.max(scale() / factor, 0.2), Math.max(whole.width, whole.height) / 200) / scale();
    const at = new DOMPoint(clientX, clientY).matrixTransform(svg.getScreenCTM().inverse());
    set(at.x - (at.x - box.x) * by, at.y - (at.y - box.y) * by, box.width * by, box.height * by);
  };
  const start = () => {  // as large as can be read, the top in the middle
    const wanted = Math.min(Math.max(whole.width / svg.clientWidth, 0.9), 1.6);
    const [width, height] = [svg.clientWidth * wanted, svg.clientHeight * wanted];
    const first = svg.querySelector(".node");
    const middle = whole.width > width && first ? first.transform.baseVal[0].matrix.e + 60 : whole.x + whole.width / 2;
    set(middle - width / 2, whole.y, width, height);
  };
  start();

  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), event.clientX, event.clientY);
  }, {passive: false});

  const pointers = new Map();
  let moved = 0;
  svg.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, event);
    moved = 0;
  });
  svg.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const by = scale(), [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
    const other = [...pointers.values()].find((pointer) => pointer.pointerId !== event.pointerId);
    if (other) {
      const distance = (pointer) => Math.hypot(pointer.clientX - other.clientX, pointer.clientY - other.clientY);
      zoom(distance(event) / Math.max(distance(before), 1), other.clientX, other.clientY);
    } else {
      set(box.x - dx * by, box.y - dy * by, box.width, box.height);
    }
    moved += Math.hypot(dx, dy);
    if (moved > 4) svg.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event);
  });
  for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, (event) => pointers.delete(event.pointerId));
  svg.addEventListener("click", (event) => moved > 4 && event.stopPropagation(), true);

  for (const button of all("button", svg.parentElement)) {
    button.addEventListener("click", () => {
      const {left, top, width, height} = svg.getBoundingClientRect();
      if (button.dataset.zoom === "0") set(whole.x, whole.y, whole.width, whole.height);
      else zoom(Number(button.dataset.zoom), left + width / 2, top + height / 2);
    });
  }
}

// ---- rows: a launch shows its details, whose sources are filled in when they are wanted

const texts = new Map(all("template[data-name]").map((template) => [template.dataset.name, template]));

function open(row, shown) {
  const detail = row.nextElementSibling;
  detail.hidden = !shown;
  row.setAttribute("aria-expanded", String(shown));
  if (!shown) return;
  for (const place of all("[data-source]:empty", detail)) place.append(texts.get(place.dataset.source).content.cloneNode(true));
}

for (const row of all("tr.launch")) {
  row.addEventListener("click", () => open(row, row.nextElementSibling.hidden));
  row.addEventListener("keydown", (event) => event.key === "Enter" && open(row, row.nextElementSibling.hidden));
}

// ---- what belongs to a launch is marked everywhere, and leads to its row

const places = new Map();
for (const element of all("[data-launches]"))
  for (const launch of element.dataset.launches.split(" ")) {
    if (!places.has(launch)) places.set(launch, []);
    places.get(launch).push(element);
  }

let marked = [];
function mark(element) {
  for (const each of marked) each.classList.remove("marked");
  const launches = element ? element.dataset.launches.split(" ") : [];
  marked = element && element.matches(".block") ? [element] : launches.flatMap((launch) => places.get(launch)).filter((each) => !each.matches(".block"));
  for (const each of marked) each.classList.add("marked");
}
document.addEventListener("pointerover", (event) => mark(event.target.closest("[data-launches]")));
document.addEventListener("click", (event) => {
  const element = event.target.closest("[data-launches]");
  if (!element || element.matches("tr")) return;
  const row = document.getElementById(`launch-${element.dataset.launches.split(" ")[0]}`);
  row.hidden = false;
  open(row, true);
  row.scrollIntoView({block: "center"});
});

// ---- tables: filters and orders

for (const field of all("[data-filter]")) {
  const rows = all(`#${field.dataset.filter} > tbody > tr:not(.detail)`);
  const words = rows.map((row) => row.textContent.toLowerCase());
  field.addEventListener("input", () => {
    const wanted = field.value.toLowerCase();
    rows.forEach((row, k) => {
      row.hidden = !words[k].includes(wanted);
      if (row.hidden && row.matches(".launch")) open(row, false);
    });
  });
}

for (const head of all("th[data-sort]")) {
  head.addEventListener("click", () => {
    const down = !head.classList.contains("down") && head.cellIndex > 0 || head.classList.contains("up");
    for (const other of all("th", head.parentElement)) other.classList.remove("up", "down");
    head.classList.add(down ? "down" : "up");
    const body = head.closest("table").tBodies[0];
    const value = (row) => Number(row.cells[head.cellIndex].dataset.value);
    const rows = all("tr.launch", body).map((row) => [row, row.nextElementSibling]);
    rows.sort(([one], [other]) => (down ? value(other) - value(one) : value(one) - value(other)));
    body.append(...rows.flat());
  });
}

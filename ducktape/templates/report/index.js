/* SPDX-License-Identifier: Apache-2.0 */
/* Without scripts the page shows everything; with them the table of tests can be sorted and filtered. */
(() => {
  "use strict";

  const table = document.querySelector(".tests");
  const rows = [...table.tBodies[0].rows].map((row, index) => ({ row, index }));
  const input = document.getElementById("filter_text");
  const output = document.getElementById("filter_count");
  const kinds = [...document.querySelectorAll("button[data-kind]")];
  const heads = [...table.tHead.rows[0].cells];
  let column = -1;
  let down = false;
  let timer = 0;

  /* Made when first asked for */
  const text = (entry) => (entry.text ??= entry.row.textContent.toLowerCase());
  const value = (entry) => {
    const cell = entry.row.cells[column];
    const found = cell.dataset.value ?? cell.textContent;
    return heads[column].dataset.sort === "number" ? (found === "" ? null : Number(found)) : found;
  };

  const sort = () => {
    const values = new Map(column < 0 ? [] : rows.map((entry) => [entry, value(entry)]));
    const sorted = [...rows].sort((one, other) => {
      const [a, b] = [values.get(one), values.get(other)];
      if (column < 0 || a === b) return one.index - other.index;
      /* What has no value comes last in both directions */
      if (a === null || b === null) return a === null ? 1 : -1;
      return (a < b ? -1 : 1) * (down ? -1 : 1);
    });
    table.tBodies[0].append(...sorted.map((entry) => entry.row));
    heads.forEach((head, index) => {
      if (index === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  };

  const pressed = () => kinds.filter((button) => button.getAttribute("aria-pressed") === "true");

  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = pressed().map((button) => button.dataset.kind);
    let found = 0;
    for (const entry of rows) {
      const own = (entry.row.dataset.kinds ?? "").split(" ");
      const shown = (!wanted.length || wanted.some((kind) => own.includes(kind))) && words.every((word) => text(entry).includes(word));
      entry.row.hidden = !shown;
      found += shown;
    }
    output.textContent = words.length || wanted.length ? `${found} of ${rows.length} tests` : "";
  };

  /* What is looked at is in the address, so that a link shows another reader the same */
  const remember = () => {
    const state = new URLSearchParams();
    if (input.value) state.set("text", input.value);
    pressed().forEach((button) => state.append("kind", button.dataset.kind));
    if (column >= 0) state.set(down ? "down" : "up", heads[column].dataset.name);
    history.replaceState(null, "", `#${state}`);
  };

  const recall = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    input.value = state.get("text") ?? "";
    for (const button of kinds) {
      button.setAttribute("aria-pressed", String(state.getAll("kind").includes(button.dataset.kind)));
    }
    down = state.has("down");
    column = heads.findIndex((head) => head.dataset.name === (state.get("down") ?? state.get("up")));
    sort();
    filter();
  };

  heads.forEach((head, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      /* Of numbers, the largest are looked for */
      down = column === index ? !down : head.dataset.sort === "number";
      column = index;
      sort();
      remember();
    });
  });
  for (const button of kinds) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      filter();
      remember();
    });
  }
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      filter();
      remember();
    }, 150);
  });
  document.addEventListener("keydown", (event) => {
    if (event.target === input) {
      if (event.key === "Escape") input.blur();
    } else if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      input.focus();
    }
  });
  window.addEventListener("hashchange", recall);

  document.getElementById("filter_panel").hidden = false;
  if (location.hash) recall();
})();

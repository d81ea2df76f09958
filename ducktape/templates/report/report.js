/* SPDX-License-Identifier: Apache-2.0 */
/* Without scripts the page shows everything; with them its rows can be filtered. */
(() => {
  "use strict";

  const MOST_ROWS_SHOWN = 250;
  const panels = [...document.querySelectorAll("div[id$='_test_panel']")].map((element) => ({
    element,
    blocks: [...element.querySelectorAll(".report_table")].map((table) => ({
      fold: table.closest("details"),
      label: table.parentElement.querySelector("summary")?.textContent,
      table,
      rows: [...table.querySelectorAll(":scope > tbody > tr")].map((row) => ({ row })),
    })),
  }));
  const buttons = [...document.querySelectorAll("button[data-reason], button[data-panel]")];
  const input = document.getElementById("filter_text");
  const output = document.getElementById("filter_count");
  let timer = 0;

  const pressed = (name) =>
    buttons
      .filter((button) => button.dataset[name] && button.getAttribute("aria-pressed") === "true")
      .map((button) => button.dataset[name]);

  /* Made when first asked for: most readers of a long page never filter it */
  const text = (entry) => (entry.text ??= entry.row.textContent.toLowerCase());
  const reason = (entry) => (entry.reason ??= entry.row.querySelector(".reason")?.textContent ?? "other");

  const apply = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const reasons = pressed("reason");
    const names = pressed("panel");
    const filtered = words.length + reasons.length + names.length > 0;
    const matches = (entry) =>
      (!reasons.length || reasons.includes(reason(entry))) && words.every((word) => text(entry).includes(word));
    let found = 0;
    let all = 0;
    for (const panel of panels) {
      const wanted =
        (!names.length || names.includes(panel.element.id)) &&
        (!reasons.length || panel.element.id === "failed_test_panel");
      let inPanel = 0;
      panel.blocks.forEach((block, index) => {
        let inBlock = 0;
        for (const entry of block.rows) {
          const shown = wanted && matches(entry);
          entry.row.hidden = !shown;
          inBlock += shown;
        }
        if (block.fold) {
          block.fold.hidden = !inBlock;
          block.fold.open = filtered ? inPanel + inBlock <= MOST_ROWS_SHOWN || !inPanel : !index;
          block.fold.firstElementChild.textContent =
            inBlock < block.rows.length ? `${block.label}: ${inBlock} shown` : block.label;
        } else {
          block.table.hidden = !inBlock;
        }
        inPanel += inBlock;
        all += block.rows.length;
      });
      panel.element.hidden = filtered && !inPanel;
      found += inPanel;
    }
    output.textContent = filtered ? `${found} of ${all} tests` : "";
  };

  for (const button of buttons) {
    button.disabled = false;
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      apply();
    });
  }
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(apply, 150);
  });
  /* What is linked to must not be hidden */
  for (const link of document.querySelectorAll("a[href^='#']")) {
    link.addEventListener("click", () => {
      input.value = "";
      buttons.forEach((button) => button.setAttribute("aria-pressed", "false"));
      apply();
      const fold = document.getElementById(link.getAttribute("href").slice(1)).closest("details");
      if (fold) fold.open = true;
    });
  }
  document.getElementById("filter_panel").hidden = false;
  /* A browser that goes back may remember what was typed */
  if (input.value) apply();
})();

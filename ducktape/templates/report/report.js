/* SPDX-License-Identifier: Apache-2.0 */
/* Without scripts the page shows everything; with them its rows can be filtered and sorted. */
(() => {
  "use strict";

  const MOST_ROWS_SHOWN = 250;
  const CONSTANTS = {
    failed: () => FAILED_TESTS,
    ignored: () => IGNORED_TESTS,
    flaky: () => FLAKY_TESTS,
    passed: () => PASSED_TESTS,
  };
  const panels = [...document.querySelectorAll("div[id$='_test_panel']")].map((element) => {
    const name = element.id.replace("_test_panel", "");
    const tables = [...element.querySelectorAll(".report_table")];
    const rows = tables.flatMap((table) => [...table.tBodies[0].rows]).map((row, index) => ({ row, index }));
    const blocks = tables.map((table) => ({
      fold: table.closest("details"),
      label: table.parentElement.querySelector(":scope > summary")?.textContent,
      body: table.tBodies[0],
      table,
      size: table.tBodies[0].rows.length,
    }));
    return { element, name, rows, blocks, tests: CONSTANTS[name]?.() };
  });
  const buttons = [...document.querySelectorAll("button[data-reason], button[data-panel], button[data-change]")];
  const input = document.getElementById("filter_text");
  const order = document.getElementById("sort_by");
  const output = document.getElementById("filter_count");
  let sorted = "";
  let timer = 0;

  const pressed = (name) =>
    buttons
      .filter((button) => button.dataset[name] && button.getAttribute("aria-pressed") === "true")
      .map((button) => button.dataset[name]);

  /* Made when first asked for: most readers of a long page never filter it */
  const text = (entry) => (entry.text ??= entry.row.textContent.toLowerCase());
  const reason = (entry) => (entry.reason ??= entry.row.querySelector(".reason")?.textContent ?? "other");
  const seconds = (spelled) => {
    const [, minutes, rest] = /(?:(\d+) minutes? )?([\d.]+) seconds/.exec(spelled ?? "") ?? [0, 0, 0];
    return 60 * (minutes ?? 0) + Number(rest);
  };

  const sort = () => {
    if (order.value === sorted) return;
    sorted = order.value;
    for (const { rows, blocks, tests } of panels) {
      if (!tests) continue;
      rows.sort((one, other) => {
        const [a, b] = [tests[one.index], tests[other.index]];
        if (sorted === "time") return seconds(b.run_time) - seconds(a.run_time);
        if (sorted === "name" && a.test_name !== b.test_name) return a.test_name < b.test_name ? -1 : 1;
        return one.index - other.index;
      });
      let start = 0;
      for (const { body, size } of blocks) {
        body.append(...rows.slice(start, start + size).map((entry) => entry.row));
        start += size;
      }
    }
  };

  const apply = () => {
    sort();
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const reasons = pressed("reason");
    const names = pressed("panel");
    const changes = pressed("change");
    const filtered = words.length + reasons.length + names.length + changes.length > 0;
    const matches = (entry) =>
      (!changes.length || changes.includes(entry.row.dataset.change)) &&
      (!reasons.length || reasons.includes(reason(entry))) && words.every((word) => text(entry).includes(word));
    let found = 0;
    let all = 0;
    for (const panel of panels) {
      const wanted =
        (!names.length || names.includes(panel.element.id)) && (!reasons.length || panel.name === "failed");
      let inPanel = 0;
      let start = 0;
      panel.blocks.forEach((block, index) => {
        let inBlock = 0;
        for (const entry of panel.rows.slice(start, start + block.size)) {
          const shown = wanted && matches(entry);
          entry.row.hidden = !shown;
          inBlock += shown;
        }
        start += block.size;
        if (block.fold) {
          block.fold.hidden = !inBlock;
          block.fold.open = filtered ? inPanel + inBlock <= MOST_ROWS_SHOWN || !inPanel : !index;
          block.fold.firstElementChild.textContent =
            inBlock < block.size ? `${block.label}: ${inBlock} shown` : block.label;
        } else {
          block.table.hidden = !inBlock;
        }
        inPanel += inBlock;
        all += block.size;
      });
      panel.element.hidden = filtered && !inPanel;
      found += inPanel;
    }
    output.textContent = filtered ? `${found} of ${all} tests` : "";
  };

  /* What is looked at is in the address, so that a link shows another reader the same */
  const remember = () => {
    const state = new URLSearchParams();
    if (input.value) state.set("text", input.value);
    if (order.value) state.set("sort", order.value);
    pressed("reason").forEach((name) => state.append("reason", name));
    pressed("change").forEach((name) => state.append("change", name));
    pressed("panel").forEach((name) => state.append("panel", name));
    history.replaceState(null, "", `#${state}`);
  };

  const recall = () => {
    const hash = decodeURIComponent(location.hash.slice(1));
    const target = hash && !hash.includes("=") && document.getElementById(hash);
    const state = new URLSearchParams(target ? "" : location.hash.slice(1));
    if (!target && !["text", "sort", "reason", "panel", "change"].some((name) => state.has(name))) return;
    input.value = state.get("text") ?? "";
    if (state.has("sort")) order.value = state.get("sort");
    for (const button of buttons) {
      const on = Object.entries(button.dataset).some(([name, value]) => state.getAll(name).includes(value));
      button.setAttribute("aria-pressed", String(on));
    }
    apply();
    if (!target) return;
    /* What is linked to must not be hidden */
    const fold = target.closest("details");
    if (fold) fold.open = true;
    const details = target.querySelector(".test");
    if (details) details.open = true;
    target.scrollIntoView();
  };

  const change = () => {
    apply();
    remember();
  };

  for (const button of buttons) {
    button.disabled = false;
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      change();
    });
  }
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(change, 150);
  });
  order.addEventListener("change", change);
  window.addEventListener("hashchange", recall);
  /* Nothing changes when the same link is followed again */
  document.addEventListener("click", (event) => {
    if (event.target.closest("a[href^='#']")?.getAttribute("href") === location.hash) recall();
  });

  /* Keys as in other programs for reading: / searches, j and k go to the next and the previous test */
  document.addEventListener("keydown", (event) => {
    const inField = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.ctrlKey || event.metaKey || event.altKey || inField) {
      if (event.key === "Escape" && event.target === input) input.blur();
      return;
    }
    if (event.key === "/") {
      event.preventDefault();
      input.focus();
    }
    if (event.key === "j" || event.key === "k") {
      const summaries = [...document.querySelectorAll(".report_table > tbody > tr:not([hidden]) .test > summary")];
      const shown = summaries.filter((summary) => summary.checkVisibility());
      const next = shown.indexOf(document.activeElement) + (event.key === "j" ? 1 : -1);
      shown[Math.max(0, next)]?.focus();
    }
  });

  if (navigator.clipboard) {
    for (const button of document.querySelectorAll("button[data-copy]")) {
      button.hidden = false;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(button.previousElementSibling.textContent);
        button.textContent = "Copied";
      });
    }
  }

  /* Paper cannot be unfolded */
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("#failed_test_panel .test").forEach((fold) => (fold.open = true));
  });

  document.getElementById("filter_panel").hidden = false;
  /* A browser that goes back may remember what was typed */
  if (input.value || order.value) apply();
  recall();
})();

// Joins the controls, the address and the table.

const find = (selector) => document.querySelector(selector);

async function main() {
  const holder = find("#data");
  let board;
  try {
    board = await readBoard(holder.textContent.trim());
  } catch (error) {
    find("#status").textContent = `This browser cannot read the board (${error}); the same numbers are in leaderboard.json.`;
    return;
  }
  holder.textContent = "";
  const page = new Page(board);
  page.listen();
  page.update();
  window.towereval = page; // for tests and for those who look behind the page
  requestAnimationFrame(() => requestAnimationFrame(() => (page.visible = performance.now())));
}

class Page {
  constructor(board) {
    this.board = board;
    this.state = stateFromHash(location.hash);
    this.grid = new Grid(board, find("#scroll"));
    this.drilldown = new Drilldown(board, find("#dialog"));
    this.form = find("#filters");
    this.tabs = find("#tabs");
    fillControls(board, this.form);
    fillTexts(board);
    fillTabs(board, this.tabs);
  }

  update() {
    const { board, state } = this;
    const hash = hashFromState(state);
    if (hash !== (location.hash || "#")) history.replaceState(null, "", hash === "#" ? location.pathname : hash);
    this.view = computeView(board, state);
    this.syncControls();
    find("#status").innerHTML = statusHtml(board, this.view);
    find("#meaning").innerHTML = meaningHtml(board, this.view);
    this.grid.show(this.view);
  }

  // Set what a control stands for; a new selection starts at the top.
  set(changes) {
    Object.assign(this.state, changes);
    const { scroll } = this.grid;
    if (!("sort" in changes)) scroll.scrollTop = 0;
    if ("view" in changes || "languages" in changes || "measure" in changes) scroll.scrollLeft = 0;
    this.update();
  }

  syncControls() {
    const { form, state } = this;
    for (const name of ["q", "measure", "size", "licence", "view", "cells"]) {
      if (form.elements[name].value !== state[name]) form.elements[name].value = state[name];
    }
    form.elements.languages.value = state.languages;
    form.elements.english.checked = state.english === "in";
    form.elements.own.checked = state.own === "1";
    const selected = state.languages && this.board.codes.includes(state.languages) ? state.languages : "";
    for (const tab of this.tabs.children) {
      const on = tab.dataset.code === selected;
      tab.setAttribute("aria-selected", on);
      tab.tabIndex = on ? 0 : -1;
      if (on) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  listen() {
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("input", (event) => this.onInput(event.target));
    this.tabs.addEventListener("click", (event) => {
      const tab = event.target.closest("[data-code]");
      if (tab) this.set({ languages: tab.dataset.code });
    });
    this.tabs.addEventListener("keydown", (event) => this.onTabKey(event));
    const { scroll, table } = this.grid;
    let waiting = false;
    scroll.addEventListener("scroll", () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        this.grid.draw(false);
      });
    }, { passive: true });
    addEventListener("resize", () => this.grid.draw(true));
    table.addEventListener("click", (event) => this.onClick(event.target));
    table.addEventListener("keydown", (event) => this.onKey(event));
    addEventListener("hashchange", () => {
      this.state = stateFromHash(location.hash);
      this.update();
    });
    const dialog = find("#dialog");
    find("#close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => this.grid.focus());
    find("#theme").addEventListener("click", nextTheme);
    find("#plots").addEventListener("click", (event) => {
      const row = event.target.closest("[data-measure]");
      if (row) this.openLanguage(Number(row.dataset.model), Number(row.dataset.measure), row.dataset.code);
    });
    if (innerWidth <= 640) find("#more").open = false;
  }

  onInput(control) {
    if (control.type === "checkbox") {
      this.set(control.name === "english" ? { english: control.checked ? "in" : "out" } : { own: control.checked ? "1" : "" });
    } else if (control.name === "q") {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.set({ q: control.value }), 60);
    } else {
      this.set({ [control.name]: control.value });
    }
  }

  onTabKey(event) {
    const tabs = [...this.tabs.children];
    const at = tabs.indexOf(document.activeElement);
    const step = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (step === undefined || at < 0) return;
    event.preventDefault();
    const next = tabs[(step + tabs.length) % tabs.length];
    this.set({ languages: next.dataset.code });
    next.focus();
  }

  onClick(target) {
    const head = target.closest("[data-sort]");
    if (head) {
      this.sortBy(head.dataset.sort);
      return;
    }
    const cell = target.closest("td[data-row]");
    if (cell) this.openCell(Number(cell.dataset.row), Number(cell.dataset.column));
  }

  sortBy(id) {
    const { state } = this;
    const turned = state.order === "down" ? "up" : "down";
    this.set({ sort: id, order: state.sort === id ? turned : id === "name" ? "up" : "down" });
    this.grid.table.querySelector(`[data-sort="${CSS.escape(id)}"]`)?.focus();
  }

  onKey(event) {
    if (!event.target.closest("td[data-row]")) return;
    const cell = event.target.closest("td[data-row]");
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.openCell(Number(cell.dataset.row), Number(cell.dataset.column));
      return;
    }
    const steps = {
      ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
      PageUp: [-15, 0], PageDown: [15, 0], Home: [0, -1e6], End: [0, 1e6],
    };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    this.grid.active = { row: Number(cell.dataset.row), column: Number(cell.dataset.column) };
    this.grid.move(...step);
  }

  openCell(row, column) {
    this.grid.active = { row, column };
    this.drilldown.open(this.view.order[row], column < 0 ? this.view.average : this.view.columns[column]);
  }

  openLanguage(model, measure, code) {
    this.drilldown.open(model, measureColumn(this.board, measure, [code], `${measure}:${code}`, code));
  }
}

main();

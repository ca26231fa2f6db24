// What is behind a cell: its counts, its languages, and some of its samples.

// Sample files call this; they are scripts because a page from a disk may load nothing else.
const loadedSamples = new Map();
function towerevalSamples(name, json) {
  loadedSamples.set(name, JSON.parse(json));
}
window.towerevalSamples = towerevalSamples;

function loadSamples(board, model, measure) {
  const name = board.samples[`${model}:${board.measures[measure].samples_of}`];
  if (!name) return Promise.resolve(null);
  if (board.inline?.[name]) return Promise.resolve(board.inline[name]);
  if (loadedSamples.has(name)) return Promise.resolve(loadedSamples.get(name));
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `samples/${name}.js`;
    script.onload = () => resolve(loadedSamples.get(name));
    script.onerror = () => reject(new Error(script.src));
    document.head.append(script);
  });
}

class Drilldown {
  constructor(board, dialog) {
    this.board = board;
    this.dialog = dialog;
    this.body = dialog.querySelector("#dialog-body");
    this.title = dialog.querySelector("#dialog-title");
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("[data-measure]");
      if (!row) return;
      this.showSamples(Number(row.dataset.measure), row.dataset.code);
      this.body.querySelector("#samples").scrollIntoView({ block: "nearest" });
    });
  }

  open(model, column) {
    const { board } = this;
    this.model = model;
    const cells = this.cells(column);
    this.title.textContent = `${board.models[model].label}: ${columnName(board, column)}`;
    const several = cells.length > 1;
    const plots = column.measures
      .map((measure) => (several ? languagePlot(board, model, measure, column.codes) : ""))
      .join("");
    const isIn = (each) => cells.some(({ measure, code }) => measure === each.measure && code === each.language);
    this.body.innerHTML =
      `${this.factsHtml(column, cells)}${plots}${spokenHtml(board, model, isIn)}${this.categoriesHtml(cells)}<section id="samples" aria-live="polite"></section>`;
    this.dialog.showModal();
    this.dialog.scrollTop = 0;
    this.title.focus();
    if (cells.length) this.showSamples(cells[0].measure, cells[0].code);
    else this.body.querySelector("#samples").textContent = "Nothing of this was run.";
  }

  cells(column) {
    const found = [];
    for (const measure of column.measures) {
      for (const code of column.codes) {
        const cell = cellOf(this.board, this.model, measure, code);
        if (cell >= 0 && this.board.cells.run[cell] >= 0) found.push({ measure, code, cell });
      }
    }
    return found;
  }

  factsHtml(column, cells) {
    const { board, model } = this;
    const sum = (counts) => cells.reduce((total, { cell }) => total + counts[cell], 0);
    const [value, low, high] = [column.value[model], column.low[model], column.high[model]];
    const runs = [...new Set(cells.map(({ cell }) => board.cells.run[cell]))].map((run) => board.runs[run]);
    const notes = [...new Set(cells.map(({ cell }) => board.notes[board.cells.note[cell]]))].filter(Boolean);
    const facts = [
      ["Score", Number.isNaN(value) ? "none" : value.toFixed(1)],
      ["95% interval", Number.isNaN(low) ? "none" : `${low.toFixed(1)} to ${high.toFixed(1)}`],
      ["Rank", rankText(column, model)],
      ["Scored (n)", sum(board.cells.n).toLocaleString("en")],
      ["Failed", sum(board.cells.failed).toLocaleString("en")],
      ["Unscored", sum(board.cells.unscored).toLocaleString("en")],
    ];
    if (column.need > 1) facts.push(["Cells run", `${column.have[model]} of ${column.need}`]);
    const list = facts.map(([name, text]) => `<div><dt>${name}</dt><dd>${text}</dd></div>`).join("");
    const from = runs.map((run) => `${run.run_id} (${run.origin}, ${run.started.slice(0, 10)})`).join(", ");
    const note = notes.slice(0, 4).join("; ");
    return (
      `<dl>${list}</dl><p class="quiet">${escapeHtml(column.title)}.` +
      ` ${from ? `Run ${escapeHtml(from)}.` : ""}${note ? ` Interval: ${escapeHtml(note)}.` : ""}</p>`
    );
  }

  categoriesHtml(cells) {
    if (cells.length !== 1) return "";
    const [{ measure, code }] = cells;
    const found = this.board.categories.filter((each) => each.measure === measure && each.language === code);
    const rows = found
      .filter((each) => each.value[this.model] !== null)
      .map((each) => {
        const value = (each.value[this.model] / HUNDREDTHS).toFixed(1);
        return `<tr><th scope="row">${escapeHtml(each.group)}</th><td>${value}</td><td>${each.n[this.model]}</td></tr>`;
      });
    if (!rows.length) return "";
    const head = '<tr><th scope="col">Category</th><th scope="col">Score</th><th scope="col">n</th></tr>';
    return `<table class="categories"><thead>${head}</thead><tbody>${rows.join("")}</tbody></table>`;
  }

  async showSamples(measure, code) {
    const { board, model } = this;
    const about = board.measures[measure];
    const target = this.body.querySelector("#samples");
    const name = `${measureName(about)}, ${languageName(board, code)}`;
    const heading = `<h3>Samples: ${escapeHtml(name)}</h3>`;
    target.innerHTML = `${heading}<p>Loading…</p>`;
    for (const row of this.body.querySelectorAll("[data-measure]")) {
      row.setAttribute("aria-pressed", row.dataset.measure === String(measure) && row.dataset.code === code);
    }
    let file = null;
    try {
      file = await loadSamples(board, model, measure);
    } catch {
      target.innerHTML = `${heading}<p>The file of these samples is not beside this page.</p>`;
      return;
    }
    if (this.model !== model) return;
    const samples = file?.[code] ?? [];
    target.innerHTML =
      heading +
      (samples.length
        ? samples.map((sample) => sampleHtml(sample, about, code)).join("")
        : "<p>No samples were kept of this result.</p>");
  }
}

// The column in words, with the language where it is one alone.
function columnName(board, column) {
  const parts = [column.over, column.head, column.below];
  const language = column.codes.length === 1 ? languageName(board, column.codes[0]) : "";
  if (column.over) parts[1] = language;
  else if (language && !parts.includes(language)) parts.push(`in ${language}`);
  return parts.filter(Boolean).join(" ");
}

function sampleHtml(sample, measure, code) {
  const text = (label, content, kind) =>
    `<div class="${kind}"><dt>${label}</dt><dd lang="${escapeHtml(code)}" dir="auto">${escapeHtml(content)}</dd></div>`;
  const pictures = sample.pictures
    .map((picture) =>
      picture.source
        ? `<img loading="lazy" src="${escapeHtml(picture.source)}" alt="${escapeHtml(picture.alt)}">`
        : `<span class="no-picture">${escapeHtml(picture.alt)}</span>`,
    )
    .join("");
  const answers = sample.answers.map((answer) =>
    answer.error ? text("Failed", answer.error, "failed") : text("Answer", answer.text, "answer"),
  );
  const references = sample.references.length ? sample.references.join("\n") : "none";
  return (
    `<article class="sample"><div class="pictures">${pictures}</div><div class="texts">` +
    `<p class="quiet"><bdi>${escapeHtml(sample.id)}</bdi>${scoreHtml(sample, measure)}</p>` +
    `<dl>${text("Prompt", sample.prompt, "prompt")}${text("References", references, "references")}${answers.join("")}</dl>` +
    "</div></article>"
  );
}

function scoreHtml(sample, measure) {
  const score = sample.scores[measure.metric];
  if (score === undefined || score === null) {
    const why = sample.unscored[measure.metric];
    return why ? ` <b class="wrong">not judged: ${escapeHtml(why)}</b>` : "";
  }
  if (measure.better !== "larger") return ` <b>score ${score.toFixed(3)}</b>`; // 1 is a yes, or a loss
  if (score === 1) return ' <b class="right">✓ correct</b>';
  if (score === 0) return ' <b class="wrong">✗ wrong</b>';
  return ` <b>score ${score.toFixed(3)}</b>`;
}

// A measure's languages from the best to the worst, each a button that shows its samples.
function languagePlot(board, model, measure, codes) {
  const about = board.measures[measure];
  const rows = [];
  for (const code of about.languages) {
    const cell = cellOf(board, model, measure, code);
    if (!codes.includes(code) || cell < 0 || Number.isNaN(board.value[cell])) continue;
    rows.push({ code, cell, value: board.value[cell] });
  }
  if (!rows.length) return "";
  rows.sort((a, b) => (about.better === "smaller" ? a.value - b.value : b.value - a.value));
  const lines = rows.map(({ code, cell, value }) => {
    const known = !Number.isNaN(board.low[cell]);
    const [low, high] = known ? [board.low[cell], board.high[cell]] : [value, value];
    const interval = known ? ` <small>${low.toFixed(1)}–${high.toFixed(1)}</small>` : "";
    const [from, to, at] = [low, high, value].map((number) => Math.min(Math.max(number, 0), 100)); // a loss may be negative
    const bar = `--low:${from.toFixed(1)}%;--width:${(to - from).toFixed(1)}%;--value:${at.toFixed(1)}%`;
    return (
      `<li><button type="button" data-measure="${measure}" data-code="${escapeHtml(code)}" data-model="${model}">` +
      `<span class="name">${escapeHtml(languageName(board, code))}</span>` +
      `<span class="track" style="${bar}" aria-hidden="true"></span>` +
      `<span class="number">${value.toFixed(1)}${interval}</span></button></li>`
    );
  });
  return `<section class="plot"><h3>${escapeHtml(measureName(about))} by language</h3><ol>${lines.join("")}</ol></section>`;
}

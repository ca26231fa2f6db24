// What is shown: the state of the filters, and the models and columns that follow from it.

const DEFAULTS = {
  view: "task", // task, language, both or fidelity
  cells: "intervals", // or heat
  q: "",
  measure: "", // an index, "" for all
  languages: "", // a code, several as de.fr, or group:core, tier:T5, script:Latn
  english: "in", // or out
  own: "", // "1": no imported or replayed runs
  size: "", // at most so many billion parameters
  licence: "",
  sort: "average", // name, or a column's id
  order: "down",
};

function stateFromHash(hash) {
  const state = { ...DEFAULTS };
  for (const [name, value] of new URLSearchParams(hash.replace(/^#/, ""))) {
    if (Object.hasOwn(DEFAULTS, name)) state[name] = value;
  }
  return state;
}

function hashFromState(state) {
  const given = new URLSearchParams();
  for (const name of Object.keys(DEFAULTS)) {
    if (state[name] !== DEFAULTS[name]) given.set(name, state[name]);
  }
  return `#${given}`;
}

// The codes that the state selects, in the board's order.
function selectedCodes(board, state) {
  const [kind, name] = state.languages.split(":");
  const wanted = new Set(state.languages.split("."));
  const isIn = (language) => {
    if (!state.languages) return true;
    if (kind === "script" && name) return language.script === name;
    if (name) return language.groups.includes(name);
    return wanted.has(language.code);
  };
  const alone = state.languages === "en";
  return board.languages
    .filter((language) => isIn(language) && (state.english !== "out" || alone || language.code !== "en"))
    .map((language) => language.code);
}

function selectedModels(board, state) {
  const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  const most = state.size ? Number(state.size) : Infinity;
  const found = [];
  board.models.forEach((model, index) => {
    const name = model.label.toLowerCase();
    if (!words.every((word) => name.includes(word))) return;
    if (state.size && !(model.parameters !== null && model.parameters <= most)) return;
    if (state.licence && model.licence !== state.licence) return;
    if (state.own && model.origins.some((origin) => origin !== "measured")) return;
    found.push(index);
  });
  return found;
}

// The measures that are shown, and those of them that make up the average over tasks.
function selectedMeasures(board, state) {
  const fidelity = board.measures.flatMap((measure, index) => (measure.fidelity ? [index] : []));
  if (state.view === "fidelity" && fidelity.length) {
    return { shown: fidelity, averaged: fidelity.filter((index) => board.measures[index].metric === "language_fidelity") };
  }
  if (state.measure !== "" && board.measures[state.measure]) {
    return { shown: [Number(state.measure)], averaged: [Number(state.measure)] };
  }
  const shown = board.measures.map((_, index) => index);
  return { shown, averaged: shown.filter((index) => board.measures[index].averaged) };
}

function columnsOf(board, state, codes) {
  const { shown, averaged } = selectedMeasures(board, state);
  if (state.view === "language") {
    return codes.map((code) => tasksColumn(board, averaged, [code], code, code)).filter(Boolean);
  }
  const columns = [];
  for (const measure of shown) {
    const about = board.measures[measure];
    const mine = about.languages.filter((code) => codes.includes(code));
    if (!mine.length) continue;
    if (state.view === "task") columns.push(measureColumn(board, measure, mine, String(measure), ""));
    else {
      for (const code of mine) {
        columns.push(measureColumn(board, measure, [code], `${measure}:${code}`, code));
      }
    }
  }
  return columns;
}

function measureColumn(board, measure, codes, id, code) {
  const about = board.measures[measure];
  const average = overLanguages(board, measure, codes);
  return {
    id,
    measures: [measure],
    codes,
    ...average,
    ranks: ranksOf(board, [measure], codes),
    head: code || about.label,
    below: code ? "" : about.metric_label,
    over: code ? measureName(about) : "",
    title: `${measureName(about)} (${about.signature}), ${describeCodes(board, codes)}`,
    better: about.better,
  };
}

function tasksColumn(board, measures, codes, id, head) {
  const average = overTasks(board, measures, codes);
  if (!average) return null;
  const names = average.measures.map((measure) => measureName(board.measures[measure]));
  return {
    id,
    ...average,
    codes,
    ranks: ranksOf(board, average.measures, codes),
    head,
    below: id === "average" ? "" : `${languageName(board, id)}${names.length > 1 ? `, ${names.length} tasks` : ""}`,
    over: "",
    title: `${names.length > 1 ? "mean of " : ""}${names.join(", ")}; ${describeCodes(board, codes)}`,
    better: average.measures.length === 1 ? board.measures[average.measures[0]].better : "larger",
  };
}

function describeCodes(board, codes) {
  if (codes.length === 1) return languageName(board, codes[0]);
  return `mean over ${codes.length} languages (${codes.join(", ")})`;
}

// Columns depend on neither the models shown nor their order: they are kept for the next sort or search.
const keptColumns = { key: "", columns: [], average: null };

function columnsAndAverage(board, state, codes) {
  const key = [state.view, state.measure, codes].join();
  if (key !== keptColumns.key) {
    keptColumns.key = key;
    keptColumns.columns = columnsOf(board, state, codes);
    const { averaged } = selectedMeasures(board, state);
    keptColumns.average = tasksColumn(board, averaged, codes, "average", "Average");
  }
  return keptColumns;
}

// Everything the table shows; `order` holds models, those without a value in the sorted column last.
function computeView(board, state) {
  const codes = selectedCodes(board, state);
  const models = selectedModels(board, state);
  const { columns, average } = columnsAndAverage(board, state, codes);
  const view = { state: { ...state }, codes, models, columns, average, scales: new Map() };
  view.ranked = columns.find((column) => column.id === state.sort) ?? average ?? columns[0] ?? null;
  view.order = orderModels(board, view);
  return view;
}

function orderModels(board, view) {
  const { state, models, ranked } = view;
  const sign = state.order === "down" ? -1 : 1;
  const byName = (a, b) => board.models[a].label.localeCompare(board.models[b].label);
  if (state.sort === "name" || !ranked) return [...models].sort((a, b) => sign * byName(a, b));
  const key = ranked.value;
  return [...models].sort((a, b) => {
    const [first, second] = [key[a], key[b]];
    if (Number.isNaN(first) || Number.isNaN(second)) {
      return Number.isNaN(first) - Number.isNaN(second) || ranked.have[b] - ranked.have[a] || byName(a, b);
    }
    return sign * (first - second) || byName(a, b);
  });
}

// Whiskers are drawn from the lowest limit of the 40 best models to the best limit of all: on the
// range of all models those of the best would be too short to see. Only columns in sight are asked for.
const DRAWN = 40;

function rangeOf(view, column) {
  return kept(view, `range ${column.id}`, () => {
    const values = sortedValues(view, [column]);
    const last = column.better === "smaller" ? values[Math.min(DRAWN, values.length) - 1] : values.at(-DRAWN) ?? values[0];
    const range = { from: Infinity, to: -Infinity };
    for (const model of view.models) {
      const value = column.value[model];
      if (Number.isNaN(value) || (column.better === "smaller" ? value > last : value < last)) continue;
      const known = !Number.isNaN(column.low[model]);
      range.from = Math.min(range.from, known ? column.low[model] : value);
      range.to = Math.max(range.to, known ? column.high[model] : value);
    }
    return range;
  });
}

// Colours run from the tenth percentile to the best; columns of the same measures share them, so
// that weak languages are seen. Numbers by different measures do not compare.
function coloursOf(view, column) {
  const same = view.state.view === "task" ? column.id : column.measures.join("+");
  return kept(view, `colours ${same}`, () => {
    const alike = view.columns.filter((other) =>
      view.state.view === "task" ? other === column : other.measures.join("+") === same);
    const values = sortedValues(view, alike);
    const tenth = values.length >= 10 ? Math.floor(values.length / 10) : 0;
    return column.better === "smaller"
      ? { best: values[0], worst: values.at(-1 - tenth) }
      : { best: values.at(-1), worst: values[tenth] };
  });
}

function kept(view, name, make) {
  if (!view.scales.has(name)) view.scales.set(name, make());
  return view.scales.get(name);
}

function sortedValues(view, columns) {
  const values = columns.flatMap((column) => view.models.map((model) => column.value[model]));
  return Float64Array.from(values.filter((value) => !Number.isNaN(value))).sort();
}

// The averaging rule; towereval/leaderboard/averages.py has the same and says why.

const Z95 = 1.959964;

function errorOf(low, high) {
  return (high - low) / (2 * Z95);
}

// Of every model: value, low, high and error (NaN where it has none), and how many cells it has of
// the `need` ones.
function emptyAverage(board, need) {
  const blank = () => new Float64Array(board.models.length).fill(NaN);
  const have = new Uint16Array(board.models.length);
  return { value: blank(), low: blank(), high: blank(), error: blank(), have, need };
}

// A measure's mean over those of the languages that it has; null where there is none.
function overLanguages(board, measure, codes) {
  const about = board.measures[measure];
  const mine = about.languages.filter((code) => codes.includes(code));
  if (!mine.length) return null;
  const average = emptyAverage(board, mine.length);
  const pairs = mine.map((code) => board.pairOf.get(`${measure}:${code}`));
  const whole = mine.length === about.languages.length;
  for (let model = 0; model < board.models.length; model++) {
    const cells = pairs.map((pair) => model * board.pairs.length + pair);
    const macro = whole ? model * board.measures.length + measure : -1;
    averageCells(board, average, model, cells, about.language_correlation, macro);
  }
  return average;
}

function averageCells(board, average, model, cells, correlation, macro) {
  let sum = 0;
  let errors = 0;
  let squares = 0;
  for (const cell of cells) {
    if (Number.isNaN(board.value[cell])) continue;
    const error = errorOf(board.low[cell], board.high[cell]);
    average.have[model] += 1;
    sum += board.value[cell];
    errors += error;
    squares += error * error;
  }
  if (average.have[model] < cells.length) return;
  const value = (average.value[model] = sum / cells.length);
  if (cells.length === 1) {
    setInterval95(average, model, board.low[cells[0]], board.high[cells[0]]);
  } else if (macro >= 0 && !Number.isNaN(board.macroLow[macro])) {
    setInterval95(average, model, board.macroLow[macro], board.macroHigh[macro]);
  } else {
    const variance = squares + correlation * (errors * errors - squares);
    const half = (Z95 * Math.sqrt(variance)) / cells.length;
    setInterval95(average, model, value - half, value + half);
  }
}

function setInterval95(average, model, low, high) {
  average.low[model] = low;
  average.high[model] = high;
  average.error[model] = errorOf(low, high);
}

// The mean of several measures' means: those that have none of the languages are left out.
// Its `measures` say which are in; null where none is.
function overTasks(board, measures, codes) {
  const parts = [];
  for (const measure of measures) {
    const part = overLanguages(board, measure, codes);
    if (part) parts.push({ measure, part });
  }
  if (!parts.length) return null;
  const chosen = parts.map(({ measure }) => measure);
  if (parts.length === 1) return { ...parts[0].part, measures: chosen };
  const need = parts.reduce((total, { part }) => total + part.need, 0);
  const average = { ...emptyAverage(board, need), measures: chosen };
  for (let model = 0; model < board.models.length; model++) {
    let sum = 0;
    let squares = 0;
    for (const { part } of parts) {
      average.have[model] += part.have[model];
      sum += part.value[model];
      squares += part.error[model] * part.error[model];
    }
    const value = (average.value[model] = sum / parts.length);
    const half = (Z95 * Math.sqrt(squares)) / parts.length;
    setInterval95(average, model, value - half, value + half);
  }
  return average;
}

// Ranks were computed from the samples for the selections that have a name; null for any other.
function ranksOf(board, measures, codes) {
  const has = new Set(measures.flatMap((measure) => board.measures[measure].languages));
  const mine = board.codes.filter((code) => codes.includes(code) && has.has(code));
  return board.ranks[`${measures.join("+")}:${mine.join(",")}`] ?? null;
}

// The board as Python packed it: gzipped JSON in base64, values in hundredths of a point.
// K models, P pairs of a measure and a language that some model has; a missing number is NaN.

const HUNDREDTHS = 100;

async function readBoard(base64) {
  const bytes = Uint8Array.fromBase64
    ? Uint8Array.fromBase64(base64)
    : Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const board = JSON.parse(await new Response(stream).text());
  const { value, below, above } = board.cells;
  const points = (number) => (number === null ? NaN : number / HUNDREDTHS);
  board.value = Float64Array.from(value, points);
  board.low = Float64Array.from(value, (number, i) => points(number) - points(below[i]));
  board.high = Float64Array.from(value, (number, i) => points(number) + points(above[i]));
  board.macroLow = Float64Array.from(board.macro.low, points);
  board.macroHigh = Float64Array.from(board.macro.high, points);
  board.codes = board.languages.map((language) => language.code);
  board.pairOf = new Map(board.pairs.map(([measure, code], p) => [`${measure}:${code}`, p]));
  return board;
}

// Where a model's score by a measure in a language is; -1 where no model has one.
function cellOf(board, model, measure, code) {
  const pair = board.pairOf.get(`${measure}:${code}`);
  return pair === undefined ? -1 : model * board.pairs.length + pair;
}

function escapeHtml(text) {
  const signs = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return String(text).replace(/[&<>"']/g, (sign) => signs[sign]);
}

function languageName(board, code) {
  return board.languages[board.codes.indexOf(code)]?.english ?? code;
}

function measureName(measure) {
  return `${measure.label} ${measure.metric_label}`;
}

// Decisions by row: what is undone and done again, what the browser keeps, and the file that is written.

const COLUMNS = ['row', 'key', 'unit', 'given', 'suggested', 'decision', 'label', 'reviewer', 'time', 'seconds', 'place',
  'chance'];
const WORDS = ['keep', 'relabel', 'remove', 'unsure'];
const WRONG = { keep: 0, relabel: 1, remove: 1, unsure: -1 };

function makeDecisions(memory, cards, names, changed) {
  const made = new Map(), past = [], future = [];
  const rows = new Set(cards.map((card) => card.row));
  let reviewer = '', kept = true;

  function read() {
    try {
      const found = JSON.parse(localStorage.getItem(memory) || '{}');
      reviewer = typeof found.reviewer === 'string' ? found.reviewer : '';
      made.clear();
      for (const [row, word, label, time, seconds] of found.decisions || []) {
        const named = word !== 'relabel' || (Number.isInteger(label) && label >= 0 && label < names.length);
        if (Number.isInteger(row) && WORDS.includes(word) && named) made.set(row, { word, label, time, seconds });
      }
    } catch (error) { kept = false; }
  }

  function write() {
    try {
      const decisions = [...made].map(([row, one]) => [row, one.word, one.label, one.time, one.seconds]);
      localStorage.setItem(memory, JSON.stringify({ reviewer, decisions }));
      kept = true;
    } catch (error) { kept = false; }
  }

  function apply(step, side) {
    for (const change of step) {
      if (change[side]) made.set(change.row, change[side]); else made.delete(change.row);
    }
    write();
    changed();
  }

  /** Decide about cards in one step: `verdict(card)` is {word, label}, or null for undecided. */
  function decide(chosen, verdict, seconds = null) {
    const time = new Date().toISOString();
    const step = [];
    for (const card of chosen) {
      const said = verdict(card);
      const after = said && { word: said.word, label: said.word === 'relabel' ? said.label : null, time, seconds };
      step.push({ row: card.row, before: made.get(card.row), after });
    }
    if (!step.length) return;
    past.push(step);
    future.length = 0;
    apply(step, 'after');
  }

  function move(from, to, side) {
    const step = from.pop();
    if (!step) return null;
    to.push(step);
    apply(step, side);
    return step[step.length - 1].row;
  }

  function counts() {
    const found = { looked: 0, keep: 0, relabel: 0, remove: 0, unsure: 0 };
    for (const [row, one] of made) if (rows.has(row)) { found.looked += 1; found[one.word] += 1; }
    return found;
  }

  /** The decision file: a header, then a line a row of the queue, and of every other row that was decided. */
  function file(header) {
    const lines = [JSON.stringify(header)];
    for (const card of cards) {
      const one = made.get(card.row);
      if (!one && card.place === null) continue;
      const values = [card.row, card.key, '', nameOf(card.given), nameOf(card.suggested), one ? one.word : '',
        one && one.label !== null ? names[one.label] : '', one ? reviewer : '', one ? one.time : '',
        one ? one.seconds : null, card.place, card.chance];
      lines.push(JSON.stringify(Object.fromEntries(COLUMNS.map((name, at) => [name, values[at]]))));
    }
    // Some readers end lines at these, too.
    const escaped = (one) => '\\u' + one.charCodeAt(0).toString(16).padStart(4, '0');
    return lines.map((line) => line.replace(/[\u0085\u2028\u2029]/g, escaped)).join('\n') + '\n';
  }

  const nameOf = (at) => (at < 0 ? '' : names[at]);
  read();
  // Another window with the same page.
  window.addEventListener('storage', (event) => { if (event.key === memory) { read(); changed(); } });
  return {
    of: (row) => made.get(row), decide, counts, file,
    undo: () => move(past, future, 'before'), redo: () => move(future, past, 'after'),
    canUndo: () => past.length > 0, canRedo: () => future.length > 0, kept: () => kept,
    reviewer: () => reviewer, setReviewer(name) { reviewer = name; write(); },
  };
}

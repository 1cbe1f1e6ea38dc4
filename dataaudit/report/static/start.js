// Puts the parts together once the page is read.

const NAMES = ['row', 'given', 'suggested', 'score', 'key', 'probability', 'reason', 'place', 'chance', 'shown', 'line',
  'scores', 'alike'];
const HEIGHT = 76;

const { about, cards: records } = JSON.parse(document.getElementById('data').textContent);
const names = about.header.class_names;
const cards = records.map((record, at) => {
  const card = { at };
  NAMES.forEach((name, field) => { card[name] = record[field]; });
  return card;
});

const decisions = makeDecisions(about.memory, cards, names, () => refresh());
const filters = makeFilters(cards, names, [about.ranked_by, ...about.scores], decisions.of, () => { list(); go(0); queue.atTop(); });
const queue = makeQueue(HEIGHT, describe, (at) => go(at), () => example.bar);
const example = makeExample(names, about.ranked_by, verdict, { back: () => go(now - 1), on: () => go(now + 1) });
const asked = makeDialog('Decide about many');
const progress = makeProgress(cards, decisions, about.bound);
let view = [], now = -1, since = performance.now();

function list() {
  view = filters.view();
  queue.set(view);
}

function go(at) {
  now = Math.max(Math.min(at, view.length - 1), view.length ? 0 : -1);
  since = performance.now();
  draw();
}

function draw() {
  queue.show(now);
  example.show(view[now], view[now] && decisions.of(view[now].row), now, view.length);
  progress.draw(view.length);
  undo.disabled = !decisions.canUndo();
  redo.disabled = !decisions.canRedo();
  many.disabled = !view.length;
}

/** After a decision, here or in another window. */
function refresh() {
  if (filters.byDecision()) list();
  go(now);
}

function decisionFor(card, word, at) {
  if (word === 'clear') return null;
  if (word === 'accept') at = card.suggested < 0 ? card.given : card.suggested;
  if (word !== 'accept' && word !== 'class') return { word };
  return at === card.given ? { word: 'keep' } : { word: 'relabel', label: at };
}

function verdict(word, at) {
  const card = view[now];
  if (!card) return;
  const seconds = Math.round((performance.now() - since) / 100) / 10, listed = view;
  decisions.decide([card], (one) => decisionFor(one, word, at), seconds);
  if (word !== 'clear' && view[now] === card) {
    // On to the next one that is open, if any is.
    let next = now + 1;
    while (next < listed.length && decisions.of(listed[next].row)) next += 1;
    go(next < listed.length ? next : now);
  }
  queue.box.focus({ preventScroll: true });
}

function describe(card) {
  const one = decisions.of(card.row), shown = card.shown || {};
  const text = textOf(shown, 6);
  const said = !one ? '' : one.word === 'relabel' ? `→ ${names[one.label]}` : { keep: 'kept', remove: 'removed',
    unsure: 'unsure' }[one.word];
  const arrow = card.suggested < 0 ? null : element('span', { 'aria-label': 'suggested' }, ' → ');
  return [
    shown.image ? element('img', { src: shown.image, alt: '', decoding: 'async' }) : null,
    element('div', { class: 'lines' },
      element('div', { class: 'heading' },
        element('span', { class: 'line' }, own(card.given < 0 ? 'not known' : names[card.given], 'given'), arrow,
          card.suggested < 0 ? null : own(names[card.suggested], 'suggested')),
        said ? element('span', { class: `said ${one.word}` }, own(said)) : null),
      text ? element('div', { class: 'line soft', dir: 'auto' }, visible(shortened(text, 160))) : null,
      element('div', { class: 'line soft' }, `#${card.row}`,
        card.key === null ? '' : ' · ', card.key === null ? null : own(called(card)),
        card.probability === null ? '' : ` · wrong: ${percent(card.probability)}`)),
  ];
}

function again(step) {
  const row = step();
  const at = view.findIndex((card) => card.row === row);
  if (at >= 0) go(at);
}

function askAboutAll() {
  const chosen = view.slice(), text = `${chosen.length} example${chosen.length === 1 ? ' is' : 's are'} listed`;
  const all = (word) => () => { asked.close(); decisions.decide(chosen, (card) => decisionFor(card, word)); };
  asked.open(element('p', {}, `${text} by these filters. Decide about all of them at once; z undoes it.`),
    element('div', { class: 'verdicts' },
      element('button', { type: 'button', onclick: all('accept') }, 'Accept all suggestions'),
      element('button', { type: 'button', onclick: all('keep') }, 'Keep all labels'),
      element('button', { type: 'button', onclick: all('remove') }, 'Remove all'),
      element('button', { type: 'button', onclick: all('clear') }, 'Clear all')));
}

function download() {
  const address = URL.createObjectURL(new Blob([decisions.file(about.header)], { type: 'application/jsonl' }));
  const link = element('a', { href: address, download: 'decisions.jsonl' });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

const undo = button('↶ Undo', 'undo (z)', () => again(decisions.undo));
const redo = button('↷ Redo', 'redo (Shift z)', () => again(decisions.redo));
const many = element('button', { type: 'button', onclick: askAboutAll }, 'All listed …');
const reviewer = element('input', {
  type: 'text', placeholder: 'your name', 'aria-label': 'name of the reviewer', maxlength: 100, autocomplete: 'name',
  value: decisions.reviewer(), onchange: () => decisions.setReviewer(reviewer.value.trim()),
});

const app = document.getElementById('app');
app.append(
  element('p', { class: 'soft' }, `Decide by buttons or keys${decisions.kept() ? '; this browser keeps it' : ''}. Then download `
    + 'the decisions: ', element('code', {}, 'dataaudit apply'), ' or ',
  element('code', {}, 'audit.apply("decisions.jsonl")'), ' corrects the data.'),
  filters.box,
  element('div', { class: 'bar' }, progress.box, undo, redo, many, reviewer,
    element('button', { type: 'button', class: 'main', onclick: download }, 'Download decisions')),
  element('div', { class: 'panes' }, queue.box, example.box), example.bar, keysHelp());
app.hidden = false;
document.documentElement.classList.add('scripted');

listen({
  accept: () => verdict('accept'), keep: () => verdict('keep'), remove: () => verdict('remove'),
  unsure: () => verdict('unsure'), undo: () => again(decisions.undo), redo: () => again(decisions.redo),
  previous: () => go(now - 1), next: () => go(now + 1), first: () => go(0), last: () => go(view.length - 1),
  digit(key) { const at = example.digit(key); if (at >= 0) verdict('class', at); },
  find: () => example.find(''), zoom: example.zoom, search: filters.focus, back: () => queue.box.focus(),
});
list();
const open = view.findIndex((card) => !decisions.of(card.row));
go(open < 0 ? 0 : open);

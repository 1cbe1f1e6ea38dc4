// Which examples are listed, and in which order.

const MOST_PAIRS = 200, MOST_CHOICES = 2000;

function makeFilters(cards, names, scores, decisionOf, changed) {
  const texts = new Map();
  const values = { search: '', pair: '', class: '', decision: '', by: '', from: '', to: '', sort: 'queue' };
  const box = element('div', { class: 'filters', role: 'search', 'aria-label': 'Filters' });
  let waiting = null;

  const search = element('input', {
    type: 'search', 'aria-label': 'search names, texts, values and reasons', placeholder: 'search (/)',
    'aria-keyshortcuts': '/',
    oninput: () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => { values.search = search.value.trim().toLowerCase(); changed(); }, 150);
    },
  });
  box.append(search);

  function choice(name, label, options) {
    const select = element('select', {
      'aria-label': label, onchange: () => { values[name] = select.value; changed(); },
    }, ...options.map(([value, text]) => element('option', { value }, visible(shortened(text, 70)))));
    box.append(select);
    return select;
  }

  /** Least and largest value of the probability, in per cent, or of a score. */
  function range() {
    const end = (name, label) => element('input', {
      type: 'number', step: 'any', 'aria-label': label, placeholder: label, hidden: true,
      oninput: (event) => { values[name] = event.target.value; changed(); },
    });
    const ends = [end('from', 'at least'), end('to', 'at most')];
    const options = scores.map((name, at) => [String(at), name]);
    if (cards.some((card) => card.probability !== null)) options.unshift(['wrong', 'probability of an error, in %']);
    const select = choice('by', 'value to filter by', [['', 'any values'], ...options]);
    select.addEventListener('change', () => {
      for (const one of ends) { one.hidden = !values.by; one.value = ''; }
      values.from = values.to = '';
      changed();
    });
    box.append(...ends);
  }

  function valueOf(card) {
    if (values.by === 'wrong') return card.probability === null ? null : 100 * card.probability;
    return values.by === '0' ? card.score : card.scores[Number(values.by) - 1];
  }

  function within(card) {
    const value = valueOf(card);
    return value !== null && (values.from === '' || value >= Number(values.from))
      && (values.to === '' || value <= Number(values.to));
  }

  const pairs = new Map(), used = new Map();
  for (const card of cards) {
    for (const at of new Set([card.given, card.suggested])) if (at >= 0) used.set(at, (used.get(at) || 0) + 1);
    if (card.suggested < 0) continue;
    const pair = `${card.given},${card.suggested}`;
    pairs.set(pair, (pairs.get(pair) || 0) + 1);
  }
  const frequent = [...pairs].sort((a, b) => b[1] - a[1]).slice(0, MOST_PAIRS);
  choice('pair', 'pair of given and suggested label', [['', 'all pairs'], ...frequent.map(([pair, count]) => {
    const [given, suggested] = pair.split(',').map(Number);
    return [pair, `${given < 0 ? '' : names[given]} → ${names[suggested]} (${count})`];
  })]);
  const classes = [...used].sort((a, b) => a[0] - b[0]).slice(0, MOST_CHOICES);
  choice('class', 'class, given or suggested',
    [['', 'all classes'], ...classes.map(([at, count]) => [String(at), `${names[at]} (${count})`])]);
  choice('decision', 'decision', [['', 'decided or not'], ['open', 'undecided'], ['done', 'decided'],
    ...WORDS.map((word) => [word, { keep: 'kept', relabel: 'relabelled', remove: 'removed', unsure: 'unsure' }[word]])]);
  range();
  choice('sort', 'order', [['queue', 'in queue order'], ['probability', 'likeliest errors first'],
    ['score', 'lowest score first'], ['pair', 'by pair'], ['row', 'by row']]);

  function searched(card) {
    if (!texts.has(card)) {
      const shown = card.shown || {};
      const parts = [`#${card.row}`, card.key === null ? '' : [].concat(card.key).join(', '), card.reason,
        card.given < 0 ? '' : names[card.given], card.suggested < 0 ? '' : names[card.suggested], shown.text || '',
        ...(shown.values || []).map(([name, value]) => `${name} ${value}`)];
      texts.set(card, parts.join('\n').toLowerCase());
    }
    return texts.get(card);
  }

  function fits(card) {
    if (values.pair && values.pair !== `${card.given},${card.suggested}`) return false;
    if (values.class && card.given !== Number(values.class) && card.suggested !== Number(values.class)) return false;
    if (values.decision) {
      const one = decisionOf(card.row), word = one ? one.word : '';
      if (values.decision === 'open' ? one : values.decision === 'done' ? !one : word !== values.decision) return false;
    }
    if (values.by && (values.from !== '' || values.to !== '') && !within(card)) return false;
    return !values.search || searched(card).includes(values.search);
  }

  const least = (value) => (value === null ? Infinity : value);
  const orders = {
    probability: (a, b) => least(b.probability === null ? null : -b.probability) < least(a.probability === null ? null
      : -a.probability) ? 1 : a.probability === b.probability ? a.at - b.at : -1,
    score: (a, b) => (least(a.score) === least(b.score) ? a.at - b.at : least(a.score) - least(b.score)),
    pair: (a, b) => a.given - b.given || a.suggested - b.suggested || a.at - b.at,
    row: (a, b) => a.row - b.row,
  };

  return {
    box,
    view() {
      const found = cards.filter(fits);
      return values.sort === 'queue' ? found : found.sort(orders[values.sort]);
    },
    byDecision: () => values.decision !== '',
    focus() { search.focus(); search.select(); },
  };
}

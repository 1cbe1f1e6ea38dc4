// The example that is decided about: what it is, why it is here, and what can be said of it.

const FEW = 10, MANY = 100, MATCHES = 12;

function makeExample(names, rankedBy, decide, steps) {
  const box = element('div', { class: 'example', role: 'group', 'aria-label': 'Example to decide about' });
  // Beside it, so that it is in sight however long the example is.
  const bar = element('div', { class: 'deciding', role: 'group', 'aria-label': 'What can be decided' });
  const zoomed = makeDialog('Closer');
  const keyed = names.length <= MANY;
  const digits = names.length <= FEW ? 1 : 2;
  const keyOf = (at) => String(at).padStart(digits, '0');
  let search = null, pending = null, last = null;

  function show(card, decision, place, count) {
    search = null;
    bar.hidden = !card;
    if (!card) {
      box.replaceChildren(element('p', { class: 'soft' }, 'No example is left by these filters.'));
      return;
    }
    const name = card.key === null ? null : own(shortened(called(card), 200));
    box.replaceChildren(
      element('div', { class: 'steps' },
        button('←', 'previous example', steps.back, place === 0),
        element('span', { class: 'soft' }, `${place + 1} of ${count}`),
        button('→', 'next example', steps.on, place === count - 1),
        element('h3', {}, `#${card.row}`, name ? ' · ' : null, name)),
      content(card),
      element('div', { class: 'facts' }, labels(card), chances(card), why(card), line(card)),
      alike(card));
    bar.replaceChildren(verdict(card, decision), classes(card, decision));
    if (card !== last && last !== null) fromTheTop();
    last = card;
  }

  /** Another example is seen from its top, however far down the decision about the one before was made. */
  function fromTheTop() {
    box.scrollTop = 0;
    if (box.getBoundingClientRect().top < 0) box.scrollIntoView({ behavior: 'instant', block: 'start' });
  }

  function content(card) {
    const shown = card.shown;
    if (!shown) return element('p', { class: 'content soft' }, 'The data set is not at hand.');
    if (shown.image) {
      const picture = () => element('img', { src: shown.image, alt: `row ${card.row}` });
      const opened = () => zoomed.open(picture());
      return element('div', { class: 'content' },
        element('button', { class: 'picture', type: 'button', 'aria-label': 'look closer', onclick: opened }, picture()));
    }
    if (shown.text !== undefined) {
      return element('div', { class: 'content text', dir: 'auto', tabindex: '0', role: 'region', 'aria-label': 'text' },
        visible(shown.text));
    }
    return element('div', { class: 'content values', tabindex: '0', role: 'region', 'aria-label': 'values' },
      element('dl', {}, ...shown.values.flatMap(([of, value]) => [
        element('dt', {}, own(of)), element('dd', {}, own(value))])));
  }

  function labels(card) {
    const given = own(nameOf(card.given), 'given');
    return card.suggested < 0 ? element('p', { class: 'labels' }, element('span', { class: 'soft' }, 'given '), given)
      : element('p', { class: 'labels' }, element('span', { class: 'soft' }, 'given '), given,
        element('span', { class: 'soft' }, ' suggested '), own(nameOf(card.suggested), 'suggested'));
  }

  function chances(card) {
    const score = card.score === null ? '' : `${rankedBy} ${card.score}`;
    const wrong = card.probability === null ? '' : `wrong with a probability of ${percent(card.probability)}`;
    return element('p', { class: 'soft' }, [wrong, score].filter(Boolean).join(' · '));
  }

  function why(card) {
    return card.reason ? element('p', {}, own(card.reason)) : null;
  }

  function line(card) {
    if (!card.line || card.line.length < 2) return null;
    return element('figure', {}, sparkline(card.line),
      element('figcaption', { class: 'soft' }, 'probability of the given label, epoch by epoch'));
  }

  /** Nearest examples of the given and of the suggested label. */
  function alike(card) {
    if (!card.alike) return null;
    const sides = [card.given, card.suggested].map((at, side) => ({ at, few: card.alike[side] || [] }));
    return element('div', { class: 'alike', role: 'group', 'aria-label': 'nearest examples' },
      ...sides.filter(({ at, few }) => at >= 0 && few.length).map(({ at, few }) => element('figure', {},
        element('figcaption', { class: 'soft' }, 'nearest labelled ', own(shortened(names[at], 60))),
        element('div', { class: 'samples' }, ...few.map(([row, shown]) => sample(row, shown))))));
  }

  function sample(row, shown) {
    if (shown && shown.image) return element('img', { src: shown.image, alt: `row ${row}`, title: `row ${row}` });
    return element('p', { dir: 'auto' }, visible(!shown ? '' : textOf(shown)), element('span', { class: 'soft' }, ` #${row}`));
  }

  function verdict(card, decision) {
    const choice = (word, text, key, pressed) => element('button', {
      type: 'button', class: `verdict ${word}`, 'aria-pressed': String(Boolean(pressed)), 'aria-keyshortcuts': key,
      onclick: () => decide(word),
    }, text, element('kbd', { 'aria-hidden': 'true' }, key));
    const is = (word) => decision && decision.word === word;
    return element('div', { class: 'verdicts', role: 'group', 'aria-label': 'Decision' },
      element('span', { class: 'about' }, `#${card.row} `, own(nameOf(card.given), 'given'),
        card.suggested < 0 ? null : element('span', { 'aria-label': 'suggested' }, ' → '),
        card.suggested < 0 ? null : own(nameOf(card.suggested), 'suggested')),
      card.suggested < 0 ? null
        : choice('accept', 'Accept suggestion', 'Enter', is('relabel') && decision.label === card.suggested),
      choice('keep', 'Keep the label', 'k', is('keep')), choice('remove', 'Remove the row', 'r', is('remove')),
      choice('unsure', 'Unsure', 'u', is('unsure')),
      decision ? button('Clear', 'clear the decision', () => decide('clear')) : null);
  }

  function classes(card, decision) {
    const now = !decision ? -1 : decision.word === 'relabel' ? decision.label : decision.word === 'keep' ? card.given : -1;
    const one = (at) => element('button', {
      type: 'button', class: 'class', 'aria-pressed': String(at === now), onclick: () => decide('class', at),
    }, keyed ? element('kbd', {}, keyOf(at)) : null, own(shortened(names[at], 60)));
    const all = keyed ? names.map((_, at) => at) : [];
    const list = element('div', { class: 'classes', role: 'group', 'aria-label': 'Label it as' }, ...all.map(one));
    if (names.length <= FEW) return list;
    const listed = (at, wanted) => names[at].toLowerCase().includes(wanted);
    function found() {
      const wanted = search.value.trim().toLowerCase();
      const matches = [];
      for (let at = 0; at < names.length && matches.length < (keyed ? names.length : MATCHES); at += 1) {
        if ((keyed || wanted) && listed(at, wanted)) matches.push(at);
      }
      // The name itself before names that it is a part of.
      return matches.sort((a, b) => names[a].length - names[b].length || a - b);
    }
    search = element('input', {
      type: 'search', placeholder: 'another label (c)', 'aria-label': 'another label: type and press Enter',
      'aria-keyshortcuts': 'c',
      oninput: () => {
        list.replaceChildren(...found().map(one));
        // What Enter gives is marked.
        list.classList.toggle('narrowed', search.value.trim() !== '');
      },
      onkeydown: (event) => {
        if (event.key === 'Enter' && search.value.trim() && found().length) {
          event.preventDefault();
          decide('class', found()[0]);
        }
      },
    });
    return element('div', {}, search, list);
  }

  const nameOf = (at) => (at < 0 ? 'not known' : names[at]);

  /** A digit of a class: the class it completes, -1 while more is to come. */
  function digit(key) {
    if (!keyed) { find(key); return -1; }
    if (digits === 1) return Number(key) < names.length ? Number(key) : -1;
    if (pending === null) {
      pending = { key, timer: setTimeout(() => { pending = null; mark(''); }, 2000) };
      mark(key);
      return -1;
    }
    clearTimeout(pending.timer);
    const at = Number(pending.key + key);
    pending = null;
    mark('');
    return at < names.length ? at : -1;
  }

  function mark(start) {
    for (const key of bar.querySelectorAll('.class kbd')) {
      key.classList.toggle('begun', start !== '' && key.textContent.startsWith(start));
    }
  }

  function find(start) {
    if (!search) return;
    search.value = start || '';
    search.focus();
    search.dispatchEvent(new Event('input'));
  }

  return { box, bar, show, digit, find, zoom: () => { const b = box.querySelector('.picture'); if (b) b.click(); } };
}

function button(text, label, pressed, disabled = false) {
  return element('button', { type: 'button', 'aria-label': label, title: label, disabled, onclick: pressed }, text);
}

/** What the data set calls an example, as in "line 7". */
function called(card) {
  return [].concat(card.key).map((part, at) => [about.levels[at] ?? '', part].join(' ').trim()).join(', ');
}

/** A dialog that shows one thing at a time, or asks. */
function makeDialog(title) {
  const inner = element('div', { class: 'inner' });
  const dialog = element('dialog', { 'aria-label': title }, inner,
    element('button', { type: 'button', onclick: () => dialog.close() }, 'Close'));
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
  document.body.append(dialog);
  return { open(...content) { inner.replaceChildren(...content); dialog.showModal(); }, close: () => dialog.close() };
}

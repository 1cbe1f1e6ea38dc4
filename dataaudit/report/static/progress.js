// The line that says how far a review is, and what it shows of all labels.

const QUICK = 25, PATIENCE = 4;

function makeProgress(cards, decisions, start) {
  const line = element('p', { class: 'progress', role: 'status' }), tally = element('p', { class: 'tally soft' });
  const meter = element('progress', { max: Math.max(cards.length, 1), 'aria-label': 'looked at' });
  const queued = cards.filter((card) => card.place !== null).sort((a, b) => a.place - b.place);
  const bounds = start.left && queued.every((card, at) => card.place === at + 1) ? makeBounds(start) : null;
  let waiting = null, took = 0, known = '';

  /** Verdicts of all places up to the last one that was decided. */
  function verdicts() {
    const made = queued.map((card) => decisions.of(card.row));
    return made.slice(0, made.findLastIndex(Boolean) + 1).map((one) => (one ? WRONG[one.word] : -1));
  }

  function bounded() {
    const before = performance.now(), found = decisions.counts();
    const both = bounds(verdicts(), found.relabel + found.remove, found.keep);
    took = performance.now() - before;
    known = both === null ? '' : `; ${hundredths(both.lower)} to ${hundredths(both.upper)} % wrong`;
    line.dataset.lower = both === null ? '' : both.lower;
    line.dataset.upper = both === null ? '' : both.upper;
    write();
  }

  const hundredths = (count) => (100 * count / start.examples).toFixed(1);

  function write() {
    line.textContent = `${decisions.counts().looked} of ${cards.length} looked at${known}`;
    line.title = known ? `of all ${start.examples} labels, with 95 % confidence whenever you stop; rows that you chose `
      + 'yourself say nothing of the others' : start.why ? `how many labels are wrong in all is not said: ${start.why}` : '';
  }

  function draw(listed) {
    const found = decisions.counts();
    const parts = [[found.relabel, 'relabelled'], [found.keep, 'kept'], [found.remove, 'removed'],
      [found.unsure, 'unsure']].filter(([count]) => count).map(([count, word]) => `${count} ${word}`);
    tally.textContent = [parts.join(', '), listed < cards.length ? `${listed} listed` : '', decisions.kept() ? ''
      : 'this browser keeps nothing: download the decisions before you close the page'].filter(Boolean).join(' · ');
    meter.value = found.looked;
    if (!bounds) { write(); return; }
    // Long queues take a while: keys go before.
    clearTimeout(waiting);
    if (took < QUICK) { bounded(); return; }
    known = '; …';
    write();
    waiting = setTimeout(bounded, PATIENCE * took);
  }

  return { box: element('div', { class: 'looked' }, line, meter, tally), draw };
}

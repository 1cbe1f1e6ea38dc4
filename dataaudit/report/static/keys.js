// What keys do, wherever on the page the focus is but in fields.

const KEYS = [
  ['0 … 9', 'the label of that number; two digits beyond ten labels'], ['c', 'search for a label, beyond ten'],
  ['Enter', 'accept the suggestion; where there is none, keep the label'], ['k', 'keep the label'],
  ['r', 'remove the row'], ['u', 'unsure'], ['z', 'undo'], ['Shift z', 'redo'],
  ['↑ ↓ ← →', 'previous and next example'], ['Home End', 'first and last example'], ['i', 'look closer'],
  ['/', 'search the examples'], ['Esc', 'back to the list'],
];

function listen(actions) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector('dialog[open]')) return;
    const tag = event.target.tagName, key = event.key;
    if (['INPUT', 'SELECT', 'TEXTAREA'].includes(tag)) {
      if (key === 'Escape') actions.back();
      return;
    }
    // Enter and space press what has the focus; arrows scroll what can be scrolled.
    const pressed = ['BUTTON', 'A', 'SUMMARY'].includes(tag);
    if (pressed && (key === 'Enter' || key === ' ')) return;
    if (event.target.closest('.content, .wide, pre') && key.startsWith('Arrow')) return;
    const action = /^[0-9]$/.test(key) ? () => actions.digit(key) : {
      Enter: actions.accept, k: actions.keep, r: actions.remove, u: actions.unsure, z: actions.undo, Z: actions.redo,
      ArrowUp: actions.previous, ArrowLeft: actions.previous, ArrowDown: actions.next, ArrowRight: actions.next,
      Home: actions.first, End: actions.last, c: actions.find, i: actions.zoom, '/': actions.search,
    }[key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

function keysHelp() {
  return element('details', { class: 'help' }, element('summary', {}, 'Keys'),
    element('dl', {}, ...KEYS.flatMap(([key, text]) => [element('dt', {}, element('kbd', {}, key)),
      element('dd', {}, text)])));
}

// How many labels are wrong, with 95 % confidence whenever the reviewer stops: as Python has it in review/sequence.py,
// whose comments say why this holds.

const clip = (value, low, high) => Math.min(Math.max(value, low), high);
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const total = (values) => values.reduce((sum, value) => sum + value, 0);

function logOfSum(values) {
  const most = Math.max(...values);
  return most + Math.log(total(values.map((value) => Math.exp(value - most))));
}

/** Shares of wrong labels that are predicted for the bins, [K], and what each look teaches. */
function makeBelief(start) {
  const { shifts, slopes, prior, strengths, trust, least } = start, bins = start.left.length;
  const left = start.left.slice(), drawn = left.map(() => 0), found = left.map(() => 0);
  const parts = shifts.map((shift, j) => ({
    shift, slope: slopes[j], prior: Math.log(prior[j]), expected: start.expected[j].slice(), others: 0,
    draws: left.map(() => strengths.map(() => 0)), bin: left.map(() => 0), share: left.map(() => 0),
  }));

  function each(part, k) {
    const rate = part.expected[k] / Math.max(left[k], 1);
    return strengths.map((strength) => clip((strength * rate + found[k]) / (strength + drawn[k]), least, 1 - least));
  }

  function predict(k) {
    for (const part of parts) {
      const weights = part.draws[k].map((value, e) => value + Math.log(trust[e]));
      part.bin[k] = logOfSum(weights);
      const shares = each(part, k);
      part.share[k] = total(weights.map((weight, e) => Math.exp(weight - part.bin[k]) * shares[e]));
    }
  }

  for (let k = 0; k < bins; k += 1) predict(k);
  return {
    rates() {
      const weights = parts.map((part) => part.prior + part.others + total(part.bin)), all = logOfSum(weights);
      const rates = left.map(() => 0);
      parts.forEach((part, j) => {
        const weight = Math.exp(weights[j] - all);
        for (let k = 0; k < bins; k += 1) rates[k] += weight * part.share[k];
      });
      return rates;
    },
    learn(k, odds, wrong, isDrawn) {
      for (const part of parts) {
        const corrected = sigmoid(part.shift + part.slope * odds);
        if (isDrawn) each(part, k).forEach((share, e) => { part.draws[k][e] += Math.log(wrong ? share : 1 - share); });
        else part.others += Math.log(wrong ? corrected : 1 - corrected);
        part.expected[k] -= corrected;
      }
      if (isDrawn) { drawn[k] += 1; found[k] += wrong; }
      left[k] -= 1;
      predict(k);
    },
  };
}

/** Draws of a review in which the places without a verdict, -1, have the verdict `other`. */
function played(start, verdicts, other) {
  const belief = makeBelief(start), left = start.left.slice(), weight = start.weight.slice(), draws = [];
  let wrong = 0;
  verdicts.forEach((verdict, at) => {
    const [bin, spread, odds, chance] = start.rows[at], isWrong = verdict < 0 ? other : verdict;
    if (chance < 1) {
      const weights = weight.map((value, k) => (left[k] > 0 ? Math.max(value, 1e-12) : 0)), all = total(weights);
      draws.push({ chances: weights.map((value) => value / all), left: left.slice(), rates: belief.rates(), bin, isWrong,
        found: wrong, all: total(left) });
    }
    belief.learn(bin, odds, isWrong, chance < 1);
    left[bin] -= 1;
    weight[bin] -= spread;
    wrong += isWrong;
  });
  return { draws, wrong, left: total(left) };
}

/** Logarithm of what a draw says against so many errors among the rows that were left. */
function logFactor(draw, remaining, newton) {
  const { chances, left, rates, bin, isWrong } = draw, scale = left.map((many, k) => (chances[k] > 0 ? many / chances[k] : 0));
  const root = (c, k) => Math.sqrt(Math.max((1 + c) ** 2 - 4 * rates[k] * c, 0));
  const sum = (term) => total(chances.map((chance, k) => (chance > 0 ? chance * term(k) : 0)));
  const slope = remaining - sum((k) => scale[k] * rates[k]);
  let bet = -2 * slope / (2 * sum((k) => scale[k] ** 2 * rates[k] * (1 - rates[k])));
  for (let step = 0; step < newton; step += 1) {
    let excess = bet * remaining - 0.5, rise = remaining;
    for (let k = 0; k < chances.length; k += 1) {
      const c = bet * scale[k], d = root(c, k);
      excess += chances[k] * (d - c) / 2;
      rise += chances[k] * scale[k] * ((1 + c - 2 * rates[k]) / Math.max(d, 1e-12) - 1) / 2;
    }
    bet = clip(rise * Math.sign(bet) > 0 ? bet - excess / rise : 2 * bet, -1e6, 1e6);
  }
  const mean = sum((k) => 1 - bet * scale[k] + root(bet * scale[k], k)) / 2 + bet * remaining;
  const own = bet * scale[bin], factor = (1 + (isWrong ? own : -own) + root(own, bin)) / 2;
  return Math.log(Math.max(factor, 1e-300)) - Math.log(mean);
}

function makeBounds(start) {
  const limit = -Math.log(start.alpha);

  /** Most evidence that there ever was against so many errors. */
  function evidence(draws, errors) {
    let sum = 0, most = -Infinity;
    for (const draw of draws) {
      const remaining = errors - draw.found;
      if (remaining < 0 || remaining > draw.all) return Infinity;
      sum += logFactor(draw, remaining, start.newton);
      most = Math.max(most, sum);
    }
    return most;
  }

  function estimate({ draws }) {
    return total(draws.map(({ chances, left, rates, bin, isWrong, found }) => found
      + total(left.map((many, k) => many * rates[k])) + (isWrong - rates[bin]) * left[bin] / chances[bin])) / draws.length;
  }

  function towards(from, to) {
    const far = Math.abs(to - from) + 1, steps = start.coarse - 1;
    return Array.from({ length: start.coarse }, (_, step) => from
      + Math.sign(to - from) * Math.round(far ** (step / steps) - 1));
  }

  /** Last number that is not excluded on the way from one that is not to one that is. */
  function edge(draws, inside, outside) {
    while (Math.abs(outside - inside) > 1) {
      const middle = Math.floor((inside + outside) / 2);
      if (evidence(draws, middle) < limit) inside = middle; else outside = middle;
    }
    return inside;
  }

  function bounds(sequence) {
    const { draws, wrong } = sequence, low = wrong, high = wrong + sequence.left;
    const guess = clip(Math.round(estimate(sequence)), low, high);
    let grid, against;
    function lay(numbers) {
      grid = [...new Set(numbers)].sort((a, b) => a - b);
      against = grid.map((errors) => evidence(draws, errors));
    }
    lay([...towards(guess, low), ...towards(guess, high)]);
    for (let round = 0; round < start.refined && Math.min(...against) >= limit; round += 1) {
      const least = against.indexOf(Math.min(...against)), near = grid[Math.max(least - 1, 0)];
      const step = (grid[Math.min(least + 1, grid.length - 1)] - near) / (start.coarse - 1);
      lay(Array.from({ length: start.coarse }, (_, at) => Math.round(near + at * step)));
    }
    const first = against.findIndex((one) => one < limit), last = against.findLastIndex((one) => one < limit);
    if (first < 0) {
      const nearest = grid[against.indexOf(Math.min(...against))];
      return [nearest, nearest];
    }
    return [edge(draws, grid[first], first > 0 ? grid[first - 1] : low - 1),
      edge(draws, grid[last], last < grid.length - 1 ? grid[last + 1] : high + 1)];
  }

  /** Numbers of wrong labels by verdicts (1 wrong, 0 right, -1 neither) of the first places, and how many of all rows
   * that were decided, those that the reviewer chose among them, are wrong and right; null before a draw. */
  return (verdicts, wrong, right) => {
    const sequences = (verdicts.includes(-1) ? [0, 1] : [1]).map((other) => played(start, verdicts, other));
    if (!sequences[0].draws.length) return null;
    const found = sequences.map(bounds), most = start.examples - right;
    const lower = Math.min(Math.max(Math.min(...found.map(([low]) => low)), wrong), most);
    return { lower, upper: Math.min(Math.max(...found.map(([, high]) => high), lower), most) };
  };
}

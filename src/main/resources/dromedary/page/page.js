// The status page: asks the API of the Dromedary it came from every two seconds and shows what that says. All that it
// shows comes from outside (names, rsync's words), so it becomes text, never markup.

const EVERY = 2000;
const NARROW_NO_BREAK = '\u202f';
const $ = id => document.getElementById(id);

// ---------------------------------------------------------------- elements

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// What has not changed is left alone: a screen reader would read it again, and a selection would be lost.
function text(node, words) {
  if (node.textContent !== words) {
    node.textContent = words;
  }
}

function attribute(node, name, value) {
  if (node.getAttribute(name) !== value) {
    node.setAttribute(name, value);
  }
}

// One child of the parent for each key, in their order, made when it is new and removed when it is gone.
function children(parent, keys, make) {
  const old = new Map([...parent.children].map(child => [child.dataset.key, child]));
  keys.forEach((key, index) => {
    let child = old.get(key);
    if (!child) {
      child = make(key);
      child.dataset.key = key;
    }
    old.delete(key);
    if (parent.children[index] !== child) {
      parent.insertBefore(child, parent.children[index] ?? null);
    }
  });
  old.forEach(child => child.remove());
  return [...parent.children];
}

// ---------------------------------------------------------------- figures

function duration(seconds) {
  if (seconds < 10) {
    return seconds < 0.05 ? '0' + NARROW_NO_BREAK + 's' : seconds.toFixed(1) + NARROW_NO_BREAK + 's';
  }
  const parts = [[86400, 'd'], [3600, 'h'], [60, 'm'], [1, 's']];
  const whole = Math.round(seconds);
  const first = parts.findIndex(([size]) => whole >= size);
  return parts.slice(first, first + 2)
    .map(([size, unit], i) => Math.floor((i ? whole % parts[first][0] : whole) / size) + NARROW_NO_BREAK + unit)
    .join(' ');
}

function bytes(count) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let unit = 0;
  while (count >= 999.5 && unit < units.length - 1) {
    count /= 1000;
    unit++;
  }
  return (unit && count < 99.95 ? count.toFixed(1) : Math.round(count)) + NARROW_NO_BREAK + units[unit];
}

const number = count => count.toLocaleString('en');
const several = (count, noun, plural = noun + 's') => number(count) + ' ' + (count === 1 ? noun : plural);

// ---------------------------------------------------------------- the API

async function ask(path, method = 'GET') {
  const token = sessionStorage.getItem('token');
  const response = await fetch(path, {
    method,
    cache: 'no-store',
    headers: method === 'POST' && token ? { Authorization: 'Bearer ' + token } : {},
  });
  if (response.status === 401) {
    sessionStorage.removeItem('token');
    if (await login(token !== null)) {
      return ask(path, method);
    }
    throw new Error('Nothing was done: the token is needed.');
  }
  const answer = await response.json();
  if (!response.ok) {
    throw new Error(answer.error ?? 'It answers ' + response.status + '.');
  }
  return answer;
}

// Opens a dialog; true when its form is sent.
function opened(dialog) {
  return new Promise(resolve => {
    const form = dialog.querySelector('form');
    let sent = false;
    form.onsubmit = event => {
      event.preventDefault();
      sent = true;
      dialog.close();
    };
    dialog.querySelector('.cancel').onclick = () => dialog.close();
    dialog.onclose = () => resolve(sent);
    dialog.showModal();
  });
}

async function login(again) {
  $('login-wrong').hidden = !again;
  const sent = await opened($('login'));
  if (sent) {
    sessionStorage.setItem('token', $('token').value.trim());
  }
  $('token').value = '';
  return sent;
}

function sure(title, words, action) {
  text($('sure-title'), title);
  text($('sure-text'), words);
  text($('sure').querySelector('.danger'), action);
  return opened($('sure'));
}

function button(label, name, action) {
  const made = element('button', { type: 'button', 'aria-label': label + ' ' + name }, label);
  made.onclick = async () => {
    made.disabled = true;
    try {
      await action();
      message('');
      await refresh();
    } catch (error) {
      message(error.message);
    } finally {
      made.disabled = false;
      made.focus();
    }
  };
  return made;
}

function message(words) {
  text($('message'), words);
  $('message').hidden = !words;
}

const of = (path, parameter, name) => path + '?' + parameter + '=' + encodeURIComponent(name);
const remotePath = (name, action) => 'api/remotes/' + encodeURIComponent(name) + '/' + action;

// ---------------------------------------------------------------- mirrors and remotes

const COLUMNS = [['Remote'], ['State'], ['Lag', 'number'], ['Pending', 'number'], ['Failed', 'number'],
  ['Rate', 'number'], ['Last push', 'number'], ['Last 10 minutes', 'trend'], ['Actions', 'actions']];

function mirrorSection(id) {
  const title = 'mirror-' + id;
  const head = element('tr', { role: 'row' });
  for (const [name, kind] of COLUMNS) {
    head.append(element('th', { scope: 'col', role: 'columnheader', class: kind ?? '' }, name));
  }
  return element('section', { 'aria-labelledby': title },
    element('div', { class: 'head' },
      element('h2', { id: title }, id),
      element('p', { class: 'source' }),
      element('div', { class: 'actions' },
        button('Sync all', 'remotes of ' + id, () => ask(of('api/sync', 'mirror', id), 'POST')))),
    element('p', { class: 'note bad problem', hidden: '' }),
    // The roles are said because they are lost where the style makes no table of it, on narrow screens.
    element('table', { class: 'remotes', role: 'table', 'aria-labelledby': title },
      element('thead', { role: 'rowgroup', 'data-key': 'head' }, head)));
}

function showMirror(section, mirror, recent) {
  const told = [mirror.source];
  if (mirror.watches !== null) {
    told.push(several(mirror.watches, 'directory', 'directories') + ' watched');
  }
  if (mirror.overflows) {
    told.push(several(mirror.overflows, 'overflow'));
  }
  text(section.querySelector('.source'), told.join(' \u00b7 '));
  const problem = section.querySelector('.problem');
  const problems = [mirror.problem, ...failing(mirror).map(listener => 'Route ' + listener.id + ' fails to take '
    + several(listener.failed, 'change') + ': ' + listener.lastError)].filter(Boolean);
  text(problem, problems.join(' \u00b7 '));
  problem.hidden = !problems.length;
  const table = section.querySelector('table');
  const bodies = children(table, ['head', ...mirror.remotes.map(remote => 'remote ' + remote.id)],
    key => remoteBody(key.slice('remote '.length)));
  mirror.remotes.forEach((remote, index) => showRemote(bodies[index + 1], remote, recent));
}

const failing = mirror => mirror.listeners.filter(listener => listener.lastError);

function remoteBody(id) {
  const cell = (name, kind = '') => element('td', { role: 'cell', class: name + ' ' + kind });
  const labelled = (name, label, kind) => {
    const made = cell(name, kind);
    made.dataset.label = label;
    return made;
  };
  const body = element('tbody', { role: 'rowgroup' },
    element('tr', { role: 'row' },
      element('th', { scope: 'row', role: 'rowheader' }, id, element('small', { class: 'target' })),
      element('td', { role: 'cell' }, element('span', { class: 'state' })),
      labelled('lagging', 'lag', 'number'),
      labelled('pending', 'pending', 'number'),
      labelled('failures', 'failed', 'number'),
      labelled('speed', 'rate', 'number'),
      labelled('last', 'last push', 'number'),
      element('td', { role: 'cell', class: 'trend' },
        element('div', { class: 'charts' }, chart('lag', 'Lag'), chart('rate', 'Rate'))),
      cell('actions')),
    element('tr', { role: 'row', class: 'more', hidden: '' },
      element('td', { role: 'cell', colspan: String(COLUMNS.length) },
        element('div', { class: 'progress', hidden: '' },
          element('progress', { max: '100', 'aria-label': 'Full sync of ' + id }),
          element('span', { class: 'far' })),
        element('ul', { class: 'large', 'aria-label': 'Large files on their way to ' + id, hidden: '' }),
        element('details', { class: 'waiting', hidden: '' }, element('summary'), element('ul', { class: 'large' })),
        element('p', { class: 'receiver', hidden: '' }),
        element('p', { class: 'bad error', hidden: '' }))));
  body.querySelector('.actions').append(
    button('Sync', id, () => ask(of('api/sync', 'remote', id), 'POST')), ' ',
    button('Pause', id, () => ask(remotePath(id, body.dataset.stopped ? 'resume' : 'pause'), 'POST')));
  return body;
}

function showRemote(body, remote, recent) {
  const find = name => body.querySelector('.' + name);
  const history = recent.remotes[remote.id] ?? { lagSeconds: [], bytesPerSecond: [] };
  text(find('target'), remote.target);
  text(find('state'), remote.state);
  attribute(find('state'), 'class', 'state ' + remote.state);
  text(find('lagging'), remote.lagSeconds ? duration(remote.lagSeconds) : '0');
  text(find('pending'), number(remote.pending));
  text(find('failures'), number(remote.failed));
  find('failures').classList.toggle('some', remote.failed > 0);
  text(find('speed'), bytes(history.bytesPerSecond.at(-1) ?? 0) + '/s');
  text(find('last'), remote.lastPush ? ago(remote.lastPush) : 'never');
  draw(find('lag'), history.lagSeconds, remote.id, 'Lag', duration);
  draw(find('rate'), history.bytesPerSecond, remote.id, 'Rate', count => bytes(count) + '/s');
  const stopped = remote.state === 'paused' || remote.state === 'halted';
  body.dataset.stopped = stopped ? 'yes' : '';
  const pause = body.querySelectorAll('.actions button')[1];
  text(pause, stopped ? 'Resume' : 'Pause');
  attribute(pause, 'aria-label', pause.textContent + ' ' + remote.id);

  const far = remote.progress;
  find('progress').hidden = !far;
  if (far) {
    attribute(body.querySelector('progress'), 'value', String(far.percent));
    text(find('far'), progress(far));
  }
  showLarge(find('large'), remote, remote.large);
  const waiting = find('waiting');
  waiting.hidden = !remote.largeWaiting.files;
  text(waiting.querySelector('summary'), several(remote.largeWaiting.files, 'large file') + ' waiting, '
    + bytes(remote.largeWaiting.bytes));
  showLarge(waiting.querySelector('ul'), remote, remote.largeWaiting.next);
  const hasFailed = ['down', 'halted'].includes(remote.state) || remote.failed > 0;
  const wrong = [remote.refusal, hasFailed && remote.lastError].filter(Boolean).join(' \u00b7 ');
  find('error').hidden = !wrong;
  text(find('error'), wrong);
  find('receiver').hidden = !remote.receiver;
  text(find('receiver'), remote.receiver ?? '');
  find('more').hidden = !far && !wrong && !remote.receiver && !remote.large.length && !remote.largeWaiting.files;
}

function showLarge(list, remote, files) {
  list.hidden = !files.length;
  children(list, files.map(file => file.path), path => largeItem(path, remote.id))
    .forEach((item, index) => showLargeItem(item, files[index]));
}

function largeItem(path, remote) {
  const here = action => 'api/failed/' + action + '?remote=' + encodeURIComponent(remote)
    + '&path=' + encodeURIComponent(path);
  return element('li', {},
    element('progress', { max: '100', 'aria-label': path, hidden: '' }),
    element('span', { class: 'path' }, path),
    element('span', { class: 'soft' }),
    element('span', { class: 'actions' },
      button('Put off', path, () => ask(here('defer'), 'POST')), ' ',
      button('Drop', path, async () => {
        if (await sure('Drop ' + path + '?',
          remote + ' will not get it until it changes again. The next full sync brings it all the same.', 'Drop')) {
          await ask(here('drop'), 'POST');
        }
      })));
}

function showLargeItem(item, file) {
  const bar = item.querySelector('progress');
  const told = [bytes(file.size)];
  bar.hidden = file.sent === undefined;
  if (!bar.hidden) {
    const percent = Math.floor(100 * file.sent / Math.max(1, file.size));
    attribute(bar, 'value', String(percent));
    told.unshift(percent + NARROW_NO_BREAK + '% of ' + told.pop());
    told.push(bytes(file.bytesPerSecond) + '/s');
    if (file.secondsLeft !== null) {
      told.push(duration(file.secondsLeft) + ' left');
    }
  }
  text(item.querySelector('.soft'), told.join(' \u00b7 '));
}

function progress(far) {
  const told = ['Full sync: ' + far.percent + NARROW_NO_BREAK + '%', several(far.files, 'file') + ' sent',
    bytes(far.bytes), bytes(far.bytesPerSecond) + '/s'];
  if (far.found) {
    told.push(number(far.checked) + ' of ' + number(far.found) + (far.complete ? '' : ' found so far') + ' checked');
  }
  if (far.secondsLeft !== null) {
    told.push(duration(far.secondsLeft) + ' left');
  }
  return told.join(' \u00b7 ');
}

function ago(instant) {
  const seconds = Math.max(0, (Date.now() - Date.parse(instant)) / 1000);
  return (seconds < 10 ? Math.floor(seconds) + NARROW_NO_BREAK + 's' : duration(seconds)) + ' ago';
}

// ---------------------------------------------------------------- charts

const SVG = 'http://www.w3.org/2000/svg';

function chart(kind, title) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('role', 'img');
  svg.setAttribute('preserveAspectRatio', 'none');
  for (const part of ['area', 'curve']) {
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('class', part);
    svg.append(path);
  }
  return element('figure', { class: kind },
    element('figcaption', {}, element('span', {}, title), element('span', { class: 'most' })), svg);
}

// The newest on the right, from 0 to the highest of these minutes; what stays below a second, or a kB/s, stays low.
function draw(figure, values, remote, title, words) {
  const svg = figure.querySelector('svg');
  const most = Math.max(0, ...values);
  const top = Math.max(title === 'Rate' ? 1000 : 1, most);
  const all = recent.samples;
  const from = all - values.length;
  const points = values.map((value, i) => (from + i) + ',' + (29 - 28 * value / top).toFixed(1));
  attribute(svg, 'viewBox', '0 0 ' + (all - 1) + ' 30');
  attribute(svg.querySelector('.curve'), 'd', points.length ? 'M' + points.join('L') : '');
  attribute(svg.querySelector('.area'), 'd',
    points.length ? 'M' + from + ',30L' + points.join('L') + 'L' + (all - 1) + ',30Z' : '');
  text(figure.querySelector('.most'), most ? '\u2264 ' + words(most) : '');
  attribute(svg, 'aria-label', title + ' of ' + remote + ' in the last 10 minutes: now '
    + words(values.at(-1) ?? 0) + ', at most ' + words(most));
}

// ---------------------------------------------------------------- fail queue and events

function failedGroup(key) {
  const [kind, remote] = JSON.parse(key);
  const lost = kind === 'route' ? 'That route will not be told of these changes.'
    : 'These changes will not be pushed. The next full sync brings them all the same.';
  return element('div', { class: 'group' },
    element('div', { class: 'head' },
      element('h3', {}, (kind === 'route' ? 'Route ' : '') + remote),
      element('p', { class: 'count' }),
      element('div', { class: 'actions' },
        button('Retry', 'what failed at ' + remote, () => ask(of('api/failed/retry', kind, remote), 'POST')), ' ',
        button('Drop', 'what failed at ' + remote, async () => {
          if (await sure('Drop what failed at ' + remote + '?',
            lost, 'Drop')) {
            await ask(of('api/failed/drop', kind, remote), 'POST');
          }
        }))),
    element('ul'));
}

function showFailed(failed) {
  const keyOf = failure => JSON.stringify(failure.route ? ['route', failure.route] : ['remote', failure.remote]);
  const remotes = [...new Set(failed.map(keyOf))];
  $('failed-none').hidden = remotes.length > 0;
  children($('failed'), remotes, failedGroup).forEach((group, index) => {
    const failures = failed.filter(failure => keyOf(failure) === remotes[index]);
    const total = failures.reduce((sum, failure) => sum + failure.changes, 0);
    text(group.querySelector('.count'), several(total, 'change') + ' not there yet');
    const keys = failures.map(failure => JSON.stringify([failure.error, failure.paths]));
    const items = children(group.querySelector('ul'), [...new Set(keys)], () => element('li', {},
      element('span', { class: 'bad' }), ' ', element('span', { class: 'soft' }),
      element('details', {}, element('summary'), element('ul'))));
    items.forEach(item => showFailure(item, failures[keys.indexOf(item.dataset.key)]));
  });
}

function showFailure(item, failure) {
  const [error, tried] = item.querySelectorAll('span');
  text(error, failure.error);
  text(tried, 'tried ' + several(failure.tries, 'time') + ', the oldest ' + duration(failure.ageSeconds) + ' old');
  text(item.querySelector('summary'), several(failure.changes, 'change'));
  const names = failure.paths.map(one =>
    one.tree ? (one.path === '.' ? 'everything' : one.path + ' and all below') : one.path);
  if (failure.changes > names.length) {
    names.push('\u2026 and ' + number(failure.changes - names.length) + ' more');
  }
  children(item.querySelector('ul'), [...new Set(names)], name => element('li', {}, name));
}

function showEvents(events) {
  $('events-none').hidden = events.length > 0;
  $('events').hidden = !events.length;
  children($('events'), [...new Set(events.map(event => JSON.stringify(event)))].reverse(), key => {
    const event = JSON.parse(key);
    const time = new Date(event.time);
    return element('li', {},
      element('time', { datetime: event.time, title: time.toLocaleString() }, clock(time)),
      element('span', { class: 'level ' + event.level }, event.level.toLowerCase()),
      element('span', { class: 'text' }, event.text));
  });
}

function clock(time) {
  const today = time.toDateString() === new Date().toDateString();
  return (today ? '' : time.toLocaleDateString('en-CA') + ' ') + time.toLocaleTimeString('en-GB');
}

// ---------------------------------------------------------------- all of it

let recent = { samples: 2, remotes: {}, events: [] };

function summary(status) {
  const remotes = status.mirrors.flatMap(mirror => mirror.remotes);
  const named = state => remotes.filter(remote => remote.state === state).map(remote => remote.id);
  const told = status.mirrors.filter(mirror => mirror.problem).map(mirror => mirror.id + ' has a problem');
  for (const state of ['halted', 'down', 'paused']) {
    const names = named(state);
    if (names.length) {
      told.push((names.length > 3 ? names.length + ' remotes' : names.join(', '))
        + (names.length === 1 ? ' is ' : ' are ') + state);
    }
  }
  const failed = remotes.filter(remote => remote.failed && !['halted', 'down', 'paused'].includes(remote.state));
  if (failed.length) {
    told.push('changes have failed at ' + failed.map(remote => remote.id).join(', '));
  }
  const listeners = status.mirrors.flatMap(failing);
  if (listeners.length) {
    told.push((listeners.length > 3 ? listeners.length + ' routes fail' : listeners.map(one => one.id).join(', ')
      + (listeners.length === 1 ? ' fails' : ' fail')) + ' to take changes');
  }
  if (told.length) {
    return ['bad', told.join('; ')];
  }
  const syncing = named('syncing');
  return syncing.length
    ? ['busy', 'Full sync of ' + several(syncing.length, 'remote')]
    : ['ok', remotes.length === 1 ? 'The remote is up' : 'All ' + remotes.length + ' remotes are up'];
}

// ---------------------------------------------------------------- of many mirrors, those that count

const MANY = 10;
const isWrong = mirror => mirror.problem || failing(mirror).length
  || mirror.remotes.some(remote => ['halted', 'down'].includes(remote.state) || remote.failed);

// What is wrong comes first; else the order of the API.
function wanted(mirrors) {
  const words = $('search').value.toLowerCase().split(/\s+/).filter(Boolean);
  const said = mirror => [mirror.id, mirror.source, isWrong(mirror) ? 'wrong' : '',
    ...mirror.remotes.flatMap(remote => [remote.id, remote.target, remote.state])].join(' ').toLowerCase();
  const found = words.length ? mirrors.filter(mirror => words.every(word => said(mirror).includes(word))) : mirrors;
  $('find').hidden = mirrors.length < MANY;
  text($('found'), words.length ? found.length + ' of ' + several(mirrors.length, 'mirror') : '');
  return [...found.filter(isWrong), ...found.filter(mirror => !isWrong(mirror))];
}

let last;

function showMirrors() {
  const mirrors = wanted(last.mirrors);
  children($('mirrors'), mirrors.map(mirror => mirror.id), mirrorSection)
    .forEach((section, index) => showMirror(section, mirrors[index], recent));
}

function show(status, failed) {
  last = status;
  const [kind, words] = summary(status);
  text($('summary'), words);
  attribute($('summary'), 'class', kind);
  text($('about'), status.version + ' \u00b7 up ' + duration(status.uptimeSeconds));
  document.title = (kind === 'bad' ? '\u2715 ' + words + ' \u2013 ' : '') + 'Dromedary';
  showMirrors();
  showFailed(failed);
  showEvents(recent.events);
}

async function refresh() {
  let status;
  let failed;
  try {
    [status, recent, failed] = await Promise.all([ask('api/status'), ask('api/recent'), ask('api/failed')]);
  } catch (error) {
    text($('summary'), 'No answer: Dromedary is not running, or cannot be reached. What is below is old.');
    attribute($('summary'), 'class', 'bad');
    document.title = '\u2715 no answer \u2013 Dromedary';
    return;
  }
  show(status, failed.failed);
}

// One question at a time, however slow the answer; none while nobody looks.
async function follow() {
  if (!document.hidden) {
    await refresh();
  }
  setTimeout(follow, EVERY);
}

$('search').addEventListener('input', () => last && showMirrors());
document.addEventListener('visibilitychange', () => document.hidden || refresh());
follow();

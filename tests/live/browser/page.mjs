// What a person does in a browser: the Inspector's page, the pages of the Django site, and pages of others.
//
//   node page.mjs JSON        started by signing_in.py, which says what is in it
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const { chromium } = createRequire(`${process.env.LIVE_CACHE}/npm/`)('playwright-core');

const told = JSON.parse(process.argv[2]);
const { alice } = told;
const MODERN = '2026-07-28';
const LEGACY = '2025-11-25';

const browser = await chromium.launch({
    executablePath: told.chromium,
    args: [...told.options, '--host-resolver-rules=MAP *.example 127.0.0.1']
});
const person = await browser.newContext({ viewport: { width: 1280, height: 960 } });
person.setDefaultTimeout(10_000);
// The page asks for fonts from elsewhere; here is no elsewhere.
await person.route(/^https:/, (request) => request.abort());
const page = await person.newPage();

const deadline = setTimeout(() => {
    console.log('not ok - the person is done within 110 seconds');
    process.exit(1);
}, 110_000);

let pictures = 0;
async function picture(name, of = page) {
    pictures += 1;
    await of.screenshot({ path: `${told.screenshots}/${pictures}-${name}.png` });
}

async function check(what, run) {
    try {
        await run();
        console.log(`ok - ${what}`);
    } catch (failure) {
        process.exitCode = 1;
        console.log(`not ok - ${what}: ${String(failure.message).replaceAll('\n', ' ').slice(0, 300)}`);
        console.error(failure.stack);
        await picture('failure').catch(() => {});
        // The next one finds the page as the first one did.
        await page.goto(told.inspector).catch(() => {});
    }
}

// The Inspector's page, by what it shows to people. What moves about there, cards and the parts of a dialog, is used by keys:
// it may have gone on when a click arrives.

const entry = (name) => page.getByRole('switch', { name: `Connect or disconnect "${name}"` });
const card = (name) =>
    page.locator('div').filter({ has: entry(name) }).filter({ has: page.getByRole('button', { name: 'Settings' }) }).last();
const connected = () => page.locator('[data-testid=connection-status][data-status=connected]').waitFor();

async function add(name, url) {
    await page.getByRole('button', { name: 'Add Servers' }).click();
    await page.getByRole('menuitem', { name: 'Add manually' }).click();
    const dialog = page.getByRole('dialog', { name: 'Add server' });
    await dialog.getByLabel('Server ID').fill(name);
    await dialog.getByLabel('Transport').first().click();
    await page.getByRole('option', { name: 'streamable-http' }).click();
    await dialog.getByLabel('URL').fill(url);
    await dialog.getByRole('button', { name: 'Add', exact: true }).click();
    await entry(name).waitFor();
}

// Which era is spoken, which relay session is carried, and whether a sign-in is forgotten: those are kept for a URL, whichever
// entry it was for. Done when the page has heard from its own server what that keeps,
// which happens while the dialog is still open or when it closes.
async function settings(name, { version = LEGACY, token, isForgotten = false }) {
    // Legacy is what an entry begins with, and not worth a request.
    const changed = token ?? (version === MODERN ? '"protocolEra":"modern"' : undefined);
    let isKept = false;
    const known = page.waitForResponse((answer) => {
        const asked = answer.request();
        const { pathname } = new URL(answer.url());
        isKept ||= asked.method() === 'PUT' && pathname === `/api/servers/${name}` && asked.postData().includes(changed);
        return isKept && asked.method() === 'GET' && pathname === '/api/servers';
    });
    known.catch(() => {});
    await card(name).getByRole('button', { name: 'Settings' }).press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Server Settings' });
    await dialog.getByLabel('Protocol Era').first().click();
    await page.getByRole('option', { name: version === MODERN ? /^Modern/ : /^Legacy/ }).click();
    if (token) await carry(dialog, token);
    if (isForgotten) await forget(dialog);
    await dialog.getByRole('button', { name: 'Close' }).click();
    await dialog.waitFor({ state: 'hidden' });
    if (changed) await known;
}

async function forget(dialog) {
    await dialog.getByRole('button', { name: 'OAuth Settings' }).press('Enter');
    await dialog.getByRole('button', { name: 'Clear stored OAuth state' }).press('Enter');
    await page.getByText('OAuth state cleared').first().waitFor();
}

async function carry(dialog, token) {
    await dialog.getByRole('button', { name: 'Custom Headers' }).press('Enter');
    await dialog.getByRole('button', { name: 'Add Header' }).press('Enter');
    await dialog.getByPlaceholder('Key', { exact: true }).fill('x-mcp-proxy-session-token');
    await dialog.getByPlaceholder('Value', { exact: true }).fill(token);
}

const toggle = (name) => entry(name).press('Space');

async function leave(name) {
    await page.getByRole('button', { name: 'Disconnect from server' }).click();
    await card(name).getByText('Disconnected').waitFor();
}

// Calls the tool of the server that is connected; what the page shows of the answer.
async function echo(message) {
    await page.locator('header').getByText('Tools', { exact: true }).click();
    await page.getByRole('button', { name: 'echo', exact: true }).first().click();
    await page.getByLabel('message').first().fill(message);
    await page.getByRole('button', { name: 'Execute Tool' }).click();
    await page.locator('main').getByText(`"${message}"`).first().waitFor();
    const shown = await page.locator('main').innerText();
    return Object.fromEntries([...shown.matchAll(/"(\w+)": "([^"]*)"/g)].slice(0, 3).map(([, name, value]) => [name, value]));
}

// From 401 to a connection, by the pages that the browser is sent to.
async function signIn(name) {
    await toggle(name);
    await page.waitForURL(`${told.site}/**`);
    if (page.url().startsWith(`${told.site}/login/`)) {
        await page.getByLabel('Username').fill(alice.name);
        await page.getByLabel('Password').fill(alice.password);
        await picture(`log-in-${name}`);
        await page.getByRole('button', { name: 'Log in' }).click();
    }
    await page.getByText('Authorize MCP Inspector?').waitFor();
    await picture(`consent-${name}`);
    await page.locator('input[name=allow]').click();
    await connected();
}

async function calls(name, version, scheme) {
    const message = `hello from ${name}`;
    assert.match(await card(name).innerText(), new RegExp(`MCP ${version}`), 'the revision that the page shows');
    assert.deepEqual(await echo(message), { Echo: message, subject: alice.id, scheme });
    await picture(name);
    await leave(name);
}

await page.goto(told.inspector);

for (const version of [MODERN, LEGACY]) {
    const name = `oauth-${version}`;
    await check(`${version}: the page signs in through the site's own pages, and calls echo as alice`, async () => {
        await add(name, told.server);
        await settings(name, { version, isForgotten: true });
        await signIn(name);
        await calls(name, version, 'Bearer');
    });
}

await check('on an origin of its own, a server sends people to the site just the same', async () => {
    await add('apart', `${told.apart}/mcp`);
    await settings('apart', { version: MODERN });
    await signIn('apart');
    await calls('apart', MODERN, 'Bearer');
});

let relay = '';
const site = await person.newPage();
await check('a page of the site obtains a relay session for who is logged in', async () => {
    await site.goto(`${told.site}/`);
    assert.equal(await site.locator('#who').innerText(), alice.name);
    const answer = await site.evaluate(async () => {
        const answer = await fetch('/mcp/relay', { method: 'POST', headers: { 'Content-Type': 'application/json' } });
        return { status: answer.status, caching: answer.headers.get('cache-control'), body: await answer.json() };
    });
    assert.deepEqual([answer.status, answer.caching, answer.body.header], [200, 'no-store', 'x-mcp-proxy-session-token']);
    assert.match(answer.body.token, /^mcpr1\./);
    relay = answer.body.token;
});
// A page behind another hardly draws.
await page.bringToFront();

await check('with a relay session beside a sign-in that is kept, nobody is guessed', async () => {
    await add('both', told.server);
    await settings('both', { token: relay });
    await toggle('both');
    await card('both').getByText('Failed').waitFor();
    await page.getByText('400 Bad Request').first().waitFor();
});

for (const version of [MODERN, LEGACY]) {
    const name = `relay-${version}`;
    await check(`${version}: with a relay session as its custom header, the page calls echo as alice`, async () => {
        await add(name, told.server);
        await settings(name, { version, token: relay, isForgotten: true });
        await toggle(name);
        await connected();
        await calls(name, version, 'Proxy');
    });
}

await check('after a log-out the relay session is over: the page is sent to log in', async () => {
    await site.bringToFront();
    await site.getByRole('button', { name: 'Log out' }).click();
    await site.getByLabel('Username').waitFor();
    await page.bringToFront();
    await toggle(`relay-${MODERN}`);
    await page.waitForURL(`${told.site}/login/**`);
    await picture('after-log-out');
});

// What a client finds that runs in a page of another origin: the answer of each request, or what the browser says instead.
const asked = (at) =>
    at.evaluate(async ({ apart }) => {
        const ask = async (path, options) => {
            try {
                const answer = await fetch(apart + path, options);
                const body = await answer.json().catch(() => null);
                return { status: answer.status, challenge: answer.headers.get('www-authenticate'), body };
            } catch (failure) {
                return String(failure);
            }
        };
        const version = { 'MCP-Protocol-Version': '2026-07-28' };
        const mcp = { ...version, 'Content-Type': 'application/json', 'Mcp-Method': 'server/discover', Authorization: 'Bearer x' };
        return {
            document: await ask('/.well-known/oauth-protected-resource/mcp', { headers: version }),
            mirror: await ask('/.well-known/oauth-authorization-server', { headers: version }),
            call: await ask('/mcp', { method: 'POST', headers: mcp, body: '{}' })
        };
    }, told);

// Any page of the origin will do, and this one is there.
const DOCUMENT = '/.well-known/oauth-protected-resource';
const other = await person.newPage();
await check('a page of an origin that may call finds the authorization server, and reads challenges', async () => {
    await other.goto(told.application + DOCUMENT);
    const { document, mirror, call } = await asked(other);
    assert.deepEqual([document.status, document.body?.authorization_servers], [200, [told.issuer]], JSON.stringify(document));
    assert.deepEqual([mirror.status, mirror.body?.issuer], [200, told.issuer], JSON.stringify(mirror));
    assert.equal(call.status, 401, JSON.stringify(call));
    assert.match(call.challenge, /resource_metadata="http:.*\/\.well-known\/oauth-protected-resource\/mcp"/);
});
await check('a page of any other origin reads what is for everybody, and nothing else', async () => {
    await other.goto(told.stranger + DOCUMENT);
    const { document, mirror, call } = await asked(other);
    assert.deepEqual([document.status, mirror.status], [200, 200]);
    assert.equal(call, 'TypeError: Failed to fetch');
});

await browser.close();
clearTimeout(deadline);

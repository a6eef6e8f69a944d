// The TypeScript packages, against one of the examples over HTTP or a pipe: @modelcontextprotocol/client in its
// three modes, and the older @modelcontextprotocol/sdk.
//
//   tests/live/part typescript URL|PATH [echo|everything|session]
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

// The packages are in the cache folder, where an import from here would not look.
const load = createRequire(`${process.env.LIVE_CACHE}/npm/`);
const client = { ...load('@modelcontextprotocol/client'), ...load('@modelcontextprotocol/client/stdio') };
const sdk = {
    ...load('@modelcontextprotocol/sdk/client/index.js'),
    ...load('@modelcontextprotocol/sdk/client/streamableHttp.js'),
    ...load('@modelcontextprotocol/sdk/client/stdio.js')
};

const MODERN = '2026-07-28';
const LEGACY = '2025-11-25';
const older = {
    name: 'SDK 1.32.2',
    from: sdk,
    version: LEGACY,
    call: (client, params, options) => client.callTool(params, undefined, options)
};
const newer = { from: client, call: (client, params, options) => client.callTool(params, options) };
const kinds = [
    { ...newer, name: '2.4.0 legacy', version: LEGACY, mode: 'legacy' },
    { ...newer, name: '2.4.0 auto', version: MODERN, mode: 'auto' },
    { ...newer, name: '2.4.0 modern', version: MODERN, mode: { pin: MODERN } },
    older
];

const target = process.argv[2];
const overHttp = target.startsWith('http');
const deadline = setTimeout(() => {
    console.log('not ok - the clients end within 50 seconds');
    process.exit(1);
}, 50_000);

async function check(what, run) {
    try {
        await run();
        console.log(`ok - ${what}`);
    } catch (failure) {
        process.exitCode = 1;
        console.log(`not ok - ${what}: ${String(failure.message).replaceAll('\n', ' ')}`);
        console.error(failure);
    }
}

// One client on one transport, with what it saw of HTTP and what it could not make sense of.
class Connection {
    constructor(kind) {
        this.kind = kind;
        this.answers = [];
        this.errors = [];
        this.client = new kind.from.Client({ name: 'live-test', version: '1' }, { versionNegotiation: { mode: kind.mode } });
        this.client.onerror = (error) => this.errors.push(error.message);
        this.transport = overHttp
            ? new kind.from.StreamableHTTPClientTransport(new URL(target), { fetch: this.fetch.bind(this) })
            : new kind.from.StdioClientTransport({ command: target, args: ['--stdio'] });
        // Both packages tell the transport which version was negotiated.
        const tell = this.transport.setProtocolVersion?.bind(this.transport);
        this.transport.setProtocolVersion = (version) => {
            this.version = version;
            tell?.(version);
        };
    }

    async fetch(url, init) {
        const answer = await fetch(url, init);
        this.answers.push(`${init?.method ?? 'GET'} ${answer.status}`);
        return answer;
    }

    open() {
        return this.client.connect(this.transport);
    }

    call(name, args, options) {
        return this.kind.call(this.client, { name, arguments: args }, options);
    }

    check(what, run) {
        return check(`${this.kind.name}: ${what}`, run);
    }
}

async function echo(on) {
    await on.check('tools/list: echo takes message, a string', async () => {
        const { tools } = await on.client.listTools();
        const echo = tools.find((tool) => tool.name === 'echo');
        assert.equal(echo.inputSchema.properties.message.type, 'string');
        assert.deepEqual(echo.inputSchema.required, ['message']);
        assert.ok(echo.outputSchema, 'echo has no outputSchema');
    });

    await on.check('tools/call echo', async () => {
        const result = await on.call('echo', { message: 'hi' });
        assert.ok(!result.isError, 'isError is set');
        assert.deepEqual(result.structuredContent, { Echo: 'hi' });
        assert.deepEqual(result.content.map((block) => block.type), ['text']);
        assert.deepEqual(JSON.parse(result.content[0].text), { Echo: 'hi' });
    });

    await on.check('tools/call echo, 32 at a time, each gets its own answer', async () => {
        const messages = Array.from({ length: 32 }, (_, number) => `${number}·`.repeat(50));
        const results = await Promise.all(messages.map((message) => on.call('echo', { message })));
        assert.deepEqual(results.map((result) => result.structuredContent.Echo), messages);
    });

    await on.check('a missing argument is an isError result that names it', async () => {
        const result = await on.call('echo', {});
        assert.equal(result.isError, true);
        assert.match(result.content[0].text, /message/);
    });

    await on.check('an unknown tool is error -32602 that names it', async () => {
        const failure = await on.call('ecko', { message: 'hi' }).then(
            (result) => assert.fail(`the call succeeded: ${JSON.stringify(result)}`),
            (error) => error
        );
        assert.equal(failure.code, -32602, failure.message);
        assert.match(failure.message, /ecko/);
    });

    await on.check('the connection still works after the errors', async () => {
        const result = await on.call('echo', { message: 'still here' });
        assert.deepEqual(result.structuredContent, { Echo: 'still here' });
    });
}

async function everything(on) {
    const { tools } = await on.client.listTools();

    for (const value of ['eu-west', 'Zürich', ' padded ', '=?base64?SGk=?=']) {
        await on.check(`an argument that travels in a header as well: '${value}'`, async () => {
            const inHeader = ([, schema]) => 'x-mcp-header' in schema && schema.type === 'string';
            const tool = tools.find((tool) => Object.entries(tool.inputSchema.properties ?? {}).some(inHeader));
            const [argument] = Object.entries(tool.inputSchema.properties).find(inHeader);
            const result = await on.call(tool.name, { [argument]: value });
            assert.ok(!result.isError, JSON.stringify(result.content));
        });
    }

    await on.check('progress arrives before the result', async () => {
        const seen = [];
        const onprogress = ({ progress, total }) => seen.push([progress, total]);
        const result = await on.call('test_tool_with_progress', {}, { onprogress });
        assert.ok(!result.isError, JSON.stringify(result.content));
        assert.deepEqual(seen, [[0, 100], [50, 100], [100, 100]]);
    });

    await on.check('text, image and resource in one result', async () => {
        const { content } = await on.call('test_multiple_content_types', {});
        assert.deepEqual(content.map((block) => block.type), ['text', 'image', 'resource']);
    });
}

// Calls of the older client in one session, for the instances part, which restarts the servers meanwhile.
async function session() {
    const on = new Connection(older);
    await on.check('50 calls in one session', async () => {
        await on.open();
        for (let number = 0; number < 50; number++) {
            const result = await on.call('echo', { message: `call ${number}` });
            assert.deepEqual(result.structuredContent, { Echo: `call ${number}` });
        }
        await on.transport.terminateSession();
        await on.client.close();
        assert.deepEqual(on.errors, []);
    });
}

async function main(use) {
    for (const kind of kinds) {
        const on = new Connection(kind);
        await on.check(`connects, ${kind.version}`, async () => {
            await on.open();
            assert.equal(on.version ?? on.client.getNegotiatedProtocolVersion(), kind.version);
            assert.ok(on.client.getServerCapabilities().tools, 'the server has no tools');
            assert.ok(on.client.getServerVersion()?.name, 'the server does not identify itself');
        });
        if (kind.version === LEGACY) {
            await on.check('ping', () => on.client.ping());
        }
        await use(on);
        await on.check('closes, and nothing went wrong on the way', async () => {
            if (overHttp && kind.version === LEGACY) {
                await on.transport.terminateSession();
            }
            await on.client.close();
            assert.deepEqual(on.errors, []);
            // There is no stream to get yet, and 405 says so.
            const wrong = on.answers.filter((answer) => !/ 20[024]$|^GET 405$/.test(answer));
            assert.deepEqual(wrong, []);
            assert.equal(on.answers.length > 0, overHttp);
        });
    }
}

const cases = process.argv[3] ?? 'echo';
await (cases === 'session' ? session() : main({ echo, everything }[cases]));
clearTimeout(deadline);

// The TypeScript package @modelcontextprotocol/client, pinned to 2026-07-28, against one of the examples.
//
//   tests/live/part typescript URL [echo|everything]
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

// The packages are in the cache folder, where an import from here would not look.
const { Client, StreamableHTTPClientTransport } = createRequire(`${process.env.LIVE_CACHE}/npm/`)('@modelcontextprotocol/client');

const VERSION = '2026-07-28';
const url = new URL(process.argv[2]);
const cases = process.argv[3] ?? 'echo';
const deadline = setTimeout(() => {
    console.log('not ok - the client ends within 50 seconds');
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

const client = new Client({ name: 'live-test', version: '1' }, { versionNegotiation: { mode: { pin: VERSION } } });
const statuses = [];
const transport = new StreamableHTTPClientTransport(url, {
    fetch: async (...request) => {
        const answer = await fetch(...request);
        statuses.push(answer.status);
        return answer;
    }
});

await check('connects pinned to 2026-07-28', async () => {
    await client.connect(transport);
    assert.equal(client.getNegotiatedProtocolVersion(), VERSION);
});

await check('server/discover', async () => {
    const found = client.getDiscoverResult();
    assert.ok(found.supportedVersions.includes(VERSION), JSON.stringify(found));
    assert.ok(found.capabilities.tools, JSON.stringify(found));
    assert.ok(client.getServerVersion()?.name, 'the server does not identify itself');
});

async function echo() {
    await check('tools/list: echo takes message, a string', async () => {
        const { tools } = await client.listTools();
        const echo = tools.find((tool) => tool.name === 'echo');
        assert.equal(echo.inputSchema.properties.message.type, 'string');
        assert.deepEqual(echo.inputSchema.required, ['message']);
        assert.ok(echo.outputSchema, 'echo has no outputSchema');
    });

    await check('tools/call echo', async () => {
        const result = await client.callTool({ name: 'echo', arguments: { message: 'hi' } });
        assert.ok(!result.isError, 'isError is set');
        assert.deepEqual(result.structuredContent, { Echo: 'hi' });
        assert.deepEqual(result.content.map((block) => block.type), ['text']);
        assert.deepEqual(JSON.parse(result.content[0].text), { Echo: 'hi' });
    });

    await check('tools/call echo, 32 at a time, each gets its own answer', async () => {
        const messages = Array.from({ length: 32 }, (_, number) => `${number}·`.repeat(50));
        const results = await Promise.all(messages.map((message) => client.callTool({ name: 'echo', arguments: { message } })));
        assert.deepEqual(results.map((result) => result.structuredContent.Echo), messages);
    });

    await check('a missing argument is an isError result that names it', async () => {
        const result = await client.callTool({ name: 'echo', arguments: {} });
        assert.equal(result.isError, true);
        assert.match(result.content[0].text, /message/);
    });

    await check('an unknown tool is error -32602 that names it', async () => {
        const failure = await client.callTool({ name: 'ecko', arguments: { message: 'hi' } }).then(
            (result) => assert.fail(`the call succeeded: ${JSON.stringify(result)}`),
            (error) => error
        );
        assert.equal(failure.code, -32602, failure.message);
        assert.match(failure.message, /ecko/);
    });

    await check('the connection still works after the errors', async () => {
        const result = await client.callTool({ name: 'echo', arguments: { message: 'still here' } });
        assert.deepEqual(result.structuredContent, { Echo: 'still here' });
    });
}

async function everything() {
    const { tools } = await client.listTools();

    for (const value of ['eu-west', 'Zürich', ' padded ', '=?base64?SGk=?=']) {
        await check(`an argument that travels in a header as well: '${value}'`, async () => {
            const inHeader = ([, schema]) => 'x-mcp-header' in schema && schema.type === 'string';
            const tool = tools.find((tool) => Object.entries(tool.inputSchema.properties ?? {}).some(inHeader));
            const [argument] = Object.entries(tool.inputSchema.properties).find(inHeader);
            const result = await client.callTool({ name: tool.name, arguments: { [argument]: value } });
            assert.ok(!result.isError, JSON.stringify(result.content));
        });
    }

    await check('progress arrives before the result', async () => {
        const seen = [];
        const onprogress = ({ progress, total }) => seen.push([progress, total]);
        const result = await client.callTool({ name: 'test_tool_with_progress', arguments: {} }, { onprogress });
        assert.ok(!result.isError, JSON.stringify(result.content));
        assert.deepEqual(seen, [[0, 100], [50, 100], [100, 100]]);
    });

    await check('text, image and resource in one result', async () => {
        const { content } = await client.callTool({ name: 'test_multiple_content_types', arguments: {} });
        assert.deepEqual(content.map((block) => block.type), ['text', 'image', 'resource']);
    });
}

await { echo, everything }[cases]();

await check('no HTTP answer was an error status', async () => {
    await client.close();
    assert.ok(statuses.length > 0, 'there was no answer');
    assert.deepEqual(statuses.filter((status) => status >= 400), []);
});
clearTimeout(deadline);

// The TypeScript packages, against one of the examples over HTTP or a pipe: @modelcontextprotocol/client in its
// three modes (with @modelcontextprotocol/ext-tasks, which the Inspector brings along), and the older
// @modelcontextprotocol/sdk.
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

const types = load('@modelcontextprotocol/sdk/types.js');
const abilities = { elicitation: { form: {}, url: {} }, sampling: {}, roots: { listChanged: true } };

const MODERN = '2026-07-28';
const LEGACY = '2025-11-25';
const older = {
    name: 'SDK 1.32.2',
    from: sdk,
    version: LEGACY,
    call: (client, params, options) => client.callTool(params, undefined, options),
    // It names a kind of message by its schema.
    named: (method) => Object.values(types).find((schema) => schema?.shape?.method?.value === method)
};
const newer = {
    from: client,
    call: (client, params, options) => client.callTool(params, options),
    named: (method) => method
};
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

const notifications = [
    'notifications/tools/list_changed',
    'notifications/prompts/list_changed',
    'notifications/resources/updated',
    'notifications/message'
];
const sampled = { role: 'assistant', content: { type: 'text', text: 'Paris.' }, model: 'a-model', stopReason: 'endTurn' };

// Accepts, with something in every field.
function elicited({ mode, requestedSchema }) {
    if (mode === 'url') {
        return { action: 'accept' };
    }
    const values = { boolean: true, string: 'Ada', integer: 7, number: 1.5 };
    const fields = Object.entries(requestedSchema.properties);
    const content = Object.fromEntries(fields.map(([name, field]) => [name, field.default ?? values[field.type]]));
    return { action: 'accept', content };
}

function skip(what, why) {
    console.log(`skip - ${what}: ${why}`);
}

// One client on one transport, with what it saw of HTTP and what it could not make sense of.
class Connection {
    constructor(kind) {
        this.kind = kind;
        this.answers = [];
        this.errors = [];
        this.asked = [];
        this.heard = [];
        const options = { capabilities: abilities, versionNegotiation: { mode: kind.mode } };
        this.client = new kind.from.Client({ name: 'live-test', version: '1' }, options);
        this.answer('elicitation/create', elicited);
        this.answer('sampling/createMessage', () => sampled);
        this.answer('roots/list', () => ({ roots: [{ uri: 'file:///test/root', name: 'Root' }] }));
        for (const method of notifications) {
            this.client.setNotificationHandler(kind.named(method), (note) => void this.heard.push(note));
        }
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

    answer(method, respond) {
        this.client.setRequestHandler(this.kind.named(method), (request) => {
            this.asked.push(request);
            return respond(request.params);
        });
    }

    // The next notification of this kind.
    async until(method) {
        for (let attempt = 0; attempt < 100; attempt++) {
            const at = this.heard.findIndex((note) => note.method === method);
            if (at >= 0) {
                return this.heard.splice(at, 1)[0];
            }
            await new Promise((resolve) => setTimeout(resolve, 20));
        }
        assert.fail(`no ${method}, but ${JSON.stringify(this.heard)}`);
    }

    async said(name, args = {}) {
        const result = await this.call(name, args);
        assert.ok(!result.isError, JSON.stringify(result.content));
        return result.content[0].text;
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

    await asking(on);
    await reading(on);
    await listening(on);
    await tasks(on);
}

async function asking(on) {
    await on.check('a form', async () => {
        assert.match(await on.said('test_elicitation', { message: 'Who?' }), /content={"username":"Ada","email":"Ada"}/);
        assert.equal(on.asked.at(-1).params.message, 'Who?');
    });
    await on.check('a form with defaults', async () => {
        assert.match(await on.said('test_elicitation_sep1034_defaults'), /"score":95.5/);
    });
    await on.check('a page to open', async () => {
        assert.match(await on.said('test_elicitation_url'), /action=accept/);
        assert.equal(on.asked.at(-1).params.url, 'https://example.com/confirm');
    });
    await on.check('sampling', async () => {
        assert.match(await on.said('test_sampling', { prompt: 'Where?' }), /Paris\./);
        assert.equal(on.asked.at(-1).params.maxTokens, 100);
    });
    await on.check('roots', async () => {
        assert.match(await on.said('test_input_required_result_list_roots'), /file:\/\/\/test\/root/);
    });
    await on.check('three questions at once, and one after the other', async () => {
        assert.match(await on.said('test_input_required_result_multiple_inputs'), /Ada, from 1 roots/);
        assert.match(await on.said('test_input_required_result_multi_round'), /Ada likes Ada\./);
    });
    await on.check('a prompt that asks', async () => {
        const { messages } = await on.client.getPrompt({ name: 'test_input_required_result_prompt' });
        assert.match(messages[0].content.text, /context: Ada/);
    });
}

async function reading(on) {
    await on.check('resources, their templates, text and bytes', async () => {
        const { resources } = await on.client.listResources();
        assert.ok(resources.some((resource) => resource.uri === 'test://static-text'));
        const { resourceTemplates } = await on.client.listResourceTemplates();
        assert.deepEqual(resourceTemplates.map((template) => template.uriTemplate), ['test://template/{id}/data']);
        const read = async (uri) => (await on.client.readResource({ uri })).contents[0];
        assert.ok((await read('test://static-text')).text);
        assert.ok((await read('test://static-binary')).blob);
        assert.equal(JSON.parse((await read('test://template/7/data')).text).id, '7');
    });
    await on.check('a resource that is not there', async () => {
        const failure = await on.client.readResource({ uri: 'test://nothing' }).then(
            (result) => assert.fail(`it was read: ${JSON.stringify(result)}`),
            (error) => error
        );
        // The newer package gives its callers the newer code, whatever came over the wire.
        assert.equal(failure.code, on.kind === older ? -32002 : -32602, failure.message);
    });
    await on.check('prompts', async () => {
        const { prompts } = await on.client.listPrompts();
        assert.ok(prompts.some((prompt) => prompt.name === 'test_prompt_with_arguments'));
        const got = await on.client.getPrompt({ name: 'test_prompt_with_arguments', arguments: { arg1: 'one', arg2: 'two' } });
        assert.match(got.messages[0].content.text, /arg1='one', arg2='two'/);
    });
    await on.check('completion', async () => {
        const complete = async (ref, name, value) =>
            (await on.client.complete({ ref, argument: { name, value } })).completion.values;
        const prompt = { type: 'ref/prompt', name: 'test_prompt_with_arguments' };
        assert.deepEqual(await complete(prompt, 'arg1', 'testValue1'), ['testValue1']);
        assert.deepEqual(await complete({ type: 'ref/resource', uri: 'test://template/{id}/data' }, 'id', '20'), ['200']);
    });
}

async function listening(on) {
    const uri = 'test://watched-resource';
    let subscription;
    await on.check(on.kind.version === MODERN ? 'listens' : 'subscribes to a resource', async () => {
        if (on.kind.version === LEGACY) {
            return on.client.subscribeResource({ uri });
        }
        const filter = { toolsListChanged: true, promptsListChanged: true, resourceSubscriptions: [uri] };
        subscription = await on.client.listen(filter);
        assert.deepEqual(subscription.honoredFilter, filter);
    });
    await on.check('is told of changes', async () => {
        await on.call('test_trigger_tool_change', {});
        await on.until('notifications/tools/list_changed');
        await on.call('test_trigger_prompt_change', {});
        await on.until('notifications/prompts/list_changed');
        await on.call('test_trigger_resource_update', {});
        assert.equal((await on.until('notifications/resources/updated')).params.uri, uri);
    });
    await on.check('hears nothing more when it listens no longer', async () => {
        await (subscription ? subscription.close() : on.client.unsubscribeResource({ uri }));
        await on.call('test_trigger_resource_update', {});
        assert.deepEqual(on.heard.filter((note) => note.method === 'notifications/resources/updated'), []);
    });
    if (on.kind.version === LEGACY) {
        await on.check('hears the log', async () => {
            await on.client.setLoggingLevel('info');
            await on.call('test_tool_with_logging', {});
            await on.until('notifications/message');
        });
        await on.check('comes back for the answer when the server lets go of the stream', async () => {
            assert.match(await on.said('test_reconnection'), /came back/);
        });
    }
}

// Posts a request as ext-tasks wants it, which the client's own codec would not let through.
async function dispatch({ method, params }) {
    const headers = {
        'Content-Type': 'application/json',
        Accept: 'application/json, text/event-stream',
        'MCP-Protocol-Version': MODERN,
        'Mcp-Method': method,
        'Mcp-Name': params.taskId ?? params.name
    };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const { result, error } = await (await fetch(target, { method: 'POST', headers, body })).json();
    return error ? { kind: 'error', error } : { kind: 'result', result };
}

async function tasks(on) {
    if (on.kind.version === LEGACY) {
        skip(`${on.kind.name}: tasks`, 'the extension is of the modern era, and 2025-11-25 has tasks of another kind');
        return;
    }
    if (on.kind.mode === 'auto') {
        return; // As in the mode that pins this revision; it takes a while.
    }
    if (!overHttp) {
        skip(`${on.kind.name}: tasks`, 'client 2.4.0 lets no task through, and ext-tasks 0.2.2 has no way around it on a pipe');
        return;
    }
    const { createTaskSessionFromClient, resultFromTaskOutcome } = await extTasks();
    const session = createTaskSessionFromClient(on.client, {
        endpointId: 'live-test',
        rawDispatch: dispatch,
        v2RequestFraming: {
            protocolVersion: MODERN,
            clientInfo: { name: 'live-test', version: '1' },
            clientCapabilities: abilities
        },
        onInputRequest: ({ kind, params }) => {
            on.asked.push(kind);
            return { elicitation: elicited, sampling: () => sampled }[kind](params);
        }
    });
    const run = async (name, args = {}) => {
        const execution = await session.callTool(name, args);
        const { outcome, lastTask } = await execution.settle();
        return { kind: execution.kind, outcome, lastTask };
    };
    const text = ({ outcome }) => resultFromTaskOutcome(outcome).content[0].text;
    await on.check('ext-tasks: a task, and a call that is none', async () => {
        const found = await run('slow_compute', { seconds: 0.2 });
        assert.equal(found.kind, 'task');
        assert.match(text(found), /Computed/);
        const greeted = await run('greet', { name: 'Ada' });
        assert.equal(greeted.kind, 'immediate');
        assert.equal(text(greeted), 'Hello, Ada!');
    });
    await on.check('ext-tasks: a task that asks', async () => {
        assert.equal(text(await run('confirm_delete', { filename: 'a.txt' })), 'Deleted a.txt.');
        assert.equal(on.asked.at(-1), 'elicitation');
    });
    await on.check('ext-tasks: a call that asks, and then is a task', async () => {
        assert.match(text(await run('test_tool_with_task')), /Ada/);
    });
    await on.check('ext-tasks: a task that fails', async () => {
        const { outcome } = await run('protocol_error_job');
        assert.equal(outcome.status, 'failed');
        assert.equal(outcome.error.code, -32603);
    });
    await on.check('ext-tasks: a task that is cancelled', async () => {
        const execution = await session.callTool('slow_compute', { seconds: 30 });
        await execution.cancel();
        assert.equal((await execution.result()).status, 'cancelled');
    });
    await session.close();
}

// It is no module that `require` can load.
const extTasks = () => import(`${process.env.LIVE_CACHE}/npm/node_modules/@modelcontextprotocol/ext-tasks/dist/client/index.js`);

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

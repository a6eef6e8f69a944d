#!/usr/bin/env node
// Prints an assertion for one request, for the header x-mcp-proxy-session-token.
//
//     MCP_PROXY_KEY=... assertion.mjs PROXY AUDIENCE SUBJECT [BODY]
//
// BODY is a file with the request's body, which the assertion then counts for alone.
import { createHash, createHmac, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

function assertion(key, proxy, audience, subject, body) {
    const claims = { sub: subject, aud: audience, prx: proxy, jti: randomUUID() };
    if (body !== undefined) claims.bdy = createHash("sha256").update(body).digest("base64url");
    const payload = Buffer.from(JSON.stringify(claims)).toString("base64url");
    const value = `${payload}:${base62(Math.floor(Date.now() / 1000))}`;
    const macKey = createHash("sha256").update("mcp.proxy-session.v1" + "signer" + key).digest();
    return `${value}:${createHmac("sha256", macKey).update(value).digest("base64url")}`;
}

function base62(number) {
    let digits = "";
    for (; number > 0; number = Math.floor(number / 62)) digits = DIGITS[number % 62] + digits;
    return digits;
}

const [proxy, audience, subject, body] = process.argv.slice(2);
const key = process.env.MCP_PROXY_KEY;
if (!subject || !key) {
    console.error("usage: MCP_PROXY_KEY=... assertion.mjs PROXY AUDIENCE SUBJECT [BODY]");
    process.exit(1);
}
console.log(assertion(key, proxy, audience, subject, body && readFileSync(body)));

// Tries clients/js/roost.js against a running server: node jsclient.mjs URL TOKEN. Node 20 has no WebSocket of its own, so
// that a small one stands in where it is missing. Prints one line of JSON for the test that started it.

import crypto from 'node:crypto';
import net from 'node:net';
import { Roost } from '../../clients/js/roost.js';

class SmallWebSocket {
    constructor(url) {
        const { hostname, port, pathname, search } = new URL(url);
        this.buffer = Buffer.alloc(0);
        this.socket = net.connect(Number(port), hostname, () => this.socket.write(
            `GET ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`
            + `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}\r\n\r\n`));
        this.socket.on('data', (data) => { this.buffer = Buffer.concat([this.buffer, data]); this.work(); });
        this.socket.on('error', () => {});
        this.socket.on('close', () => this.onclose && this.onclose());
    }

    work() {
        if (!this.isOpen) {
            const end = this.buffer.indexOf('\r\n\r\n');
            if (end < 0) return;
            this.isOpen = true;
            this.buffer = this.buffer.subarray(end + 4);
        }
        while (this.buffer.length >= 2) {
            let size = this.buffer[1] & 127, start = 2;
            if (size === 126) { size = this.buffer.readUInt16BE(2); start = 4; }
            else if (size === 127) { size = Number(this.buffer.readBigUInt64BE(2)); start = 10; }
            if (this.buffer.length < start + size) return;
            const payload = this.buffer.subarray(start, start + size);
            const opcode = this.buffer[0] & 15;
            this.buffer = this.buffer.subarray(start + size);
            if (opcode === 1 && this.onmessage) this.onmessage({ data: payload.toString() });
            if (opcode === 8) this.socket.end();
        }
    }

    frame(opcode, payload) {
        const mask = crypto.randomBytes(4);
        const head = payload.length < 126 ? Buffer.from([128 | opcode, 128 | payload.length])
            : Buffer.from([128 | opcode, 254, payload.length >> 8, payload.length & 255]);
        this.socket.write(Buffer.concat([head, mask, payload.map((byte, index) => byte ^ mask[index & 3])]));
    }

    send(text) { this.frame(1, Buffer.from(text)); }
    close() { this.frame(8, Buffer.from([3, 232])); this.socket.end(); }
}

const [, , url, token] = process.argv;
const results = {};
const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));
async function until(condition) {
    for (let count = 0; count < 500 && !condition(); count++) await pause(10);
    return condition();
}
process.on('unhandledRejection', (error) => { console.log(JSON.stringify({ crashed: String(error) })); process.exit(1); });

let gaps = 0, connects = 0;
const roost = new Roost(url, { WebSocket: SmallWebSocket, onGap: () => gaps++, onConnect: () => connects++, maxWait: 300 });
const other = new Roost(url, { WebSocket: SmallWebSocket });
const seen = [];
const leave = await roost.subscribe('posts/*', (event) => seen.push(event.action + ' ' + event.record.title));
const picked = [];
await roost.subscribe('posts/*', (event) => picked.push(event.record), { query: { fields: 'title' } });
const made = await other.request('POST', '/api/collections/posts/records', { title: 'js 1' });
results.live = await until(() => seen.length === 1 && picked.length === 1) && seen[0] === 'create js 1';
results.picked = JSON.stringify(picked[0]) === '{"title":"js 1"}';
// The connection breaks; what happens meanwhile is told afterwards.
roost.socket.socket.destroy();
await other.request('PATCH', '/api/collections/posts/records/' + made.id, { title: 'js 2' });
await other.request('DELETE', '/api/collections/posts/records/' + made.id);
results.resumed = await until(() => seen.length === 3) && seen.slice(1).join() === 'update js 2,delete js 2';
results.once = (await pause(200), seen.length === 3 && connects === 2 && gaps === 0);
results.auth = (await roost.auth(token)).id !== undefined;
results.settings = (await roost.request('GET', '/api/settings')).meta !== undefined;
try {
    await roost.request('GET', '/api/collections/nope/records');
    results.error = false;
} catch (error) { results.error = error.status === 404 && error.message.includes('collection'); }
await leave();
await other.request('POST', '/api/collections/posts/records', { title: 'js 3' });
results.left = await until(() => picked.some((record) => record.title === 'js 3')) && seen.length === 3;
roost.close();
other.close();
console.log(JSON.stringify(results));

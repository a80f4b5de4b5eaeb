/**
 * Roost over a WebSocket: subscriptions, requests, and nothing lost over interruptions. One file, no dependencies.
 * The protocol is described in docs/realtime.md.
 *
 *   const roost = new Roost('http://127.0.0.1:8090');
 *   await roost.auth(token);
 *   const leave = await roost.subscribe('posts/*', (event) => console.log(event.action, event.record));
 *   const page = await roost.request('GET', '/api/collections/posts/records?perPage=10');
 *   await leave();
 *   roost.close();
 */

/** An answer that is an error: `status`, `message`, and `data` with what is wrong with which field. */
export class RoostError extends Error {
    constructor(status, message, data) {
        super(message || `status ${status}`);
        this.name = 'RoostError';
        this.status = status;
        this.data = data || {};
    }
}

export class Roost {
    /**
     * @param {string} url the server's address, http or https
     * @param {object} [options]
     *   WebSocket: a class to use in place of the global one;
     *   position: where to go on from, as `position` was in an earlier session;
     *   onGap(): too much was missed, fetch the records anew;
     *   onMessage(topic, data): what plugins publish to this client alone;
     *   onSignedOut(): the token counts no more;
     *   onConnect(), onDisconnect(): the connection has come and gone;
     *   maxWait: the longest pause between two attempts, in milliseconds.
     */
    constructor(url, options = {}) {
        this.url = url.replace(/^http/, 'ws').replace(/\/+$/, '') + '/api/realtime?resume=1';
        this.options = options;
        /** The last position that was seen; keep it to go on from there in another session. */
        this.position = options.position || null;
        this.token = '';
        this.clientId = null;
        this.topics = new Map();
        this.waiting = new Map();
        this.lastId = 0;
        this.attempts = 0;
        this.isClosed = false;
        this.ready = null;
    }

    /** Signs in with a token; '' signs out. Signing in again follows each reconnection by itself. */
    async auth(token) {
        if (this.token && token && token !== this.token) {
            // The server lets a guest become a user, and a user nobody else: the same user's new token is fine.
            try {
                const answer = await this.call({ type: 'auth', token });
                this.token = token;
                return answer.record;
            } catch (error) {
                if (error.status !== 403) throw error;
                this.token = token;
                this.restart();
                await this.connect();
                return undefined;
            }
        }
        const answer = await this.call({ type: 'auth', token });
        this.token = token;
        return answer.record;
    }

    /**
     * Subscribes to a topic.
     * @param {string} topic for example `posts/*` or `posts/RECORD_ID`
     * @param {(event: {action, record, topic, position}) => void} callback for messages of plugins it gets `{data, topic}`
     * @param {object} [options] `query` with `filter`, `expand`, `fields`, and `headers`
     * @returns {Promise<() => Promise<void>>} ends the subscription
     */
    async subscribe(topic, callback, options) {
        const full = options ? `${topic}?options=${encodeURIComponent(JSON.stringify(options))}` : topic;
        let callbacks = this.topics.get(full);
        if (!callbacks) {
            callbacks = new Set();
            this.topics.set(full, callbacks);
        }
        callbacks.add(callback);
        if (callbacks.size === 1) {
            try {
                await this.call({ type: 'subscribe', topics: [full] });
            } catch (error) {
                callbacks.delete(callback);
                if (!callbacks.size) this.topics.delete(full);
                throw error;
            }
        }
        return async () => {
            if (!callbacks.delete(callback) || callbacks.size) return;
            this.topics.delete(full);
            if (this.socket) await this.call({ type: 'unsubscribe', topics: [full] });
        };
    }

    /**
     * Sends a request over the socket: the answer's body, or a RoostError.
     * It is not sent again when the connection breaks, as it may have been carried out: that is status 0.
     */
    async request(method, path, body) {
        const answer = await this.call({ type: 'request', method, path, body });
        if (answer.status >= 400) {
            throw new RoostError(answer.status, answer.body && answer.body.message, answer.body && answer.body.data);
        }
        return answer.body;
    }

    close() {
        this.isClosed = true;
        clearTimeout(this.timer);
        if (this.socket) this.socket.close(1000);
    }

    /** Connects, if there is no connection; called by everything that needs one. */
    connect() {
        if (this.isClosed) return Promise.reject(new RoostError(0, 'The client was closed.'));
        if (!this.ready) {
            this.ready = new Promise((resolve) => { this.resolveReady = resolve; });
            this.open();
        }
        return this.ready;
    }

    restart() {
        if (this.socket) this.socket.close(1000);
    }

    open() {
        const Socket = this.options.WebSocket || globalThis.WebSocket;
        const socket = new Socket(this.url);
        this.socket = socket;
        socket.onmessage = (message) => this.received(JSON.parse(message.data));
        socket.onclose = () => this.lost(socket);
        socket.onerror = () => {};
    }

    lost(socket) {
        if (socket !== this.socket) return;
        const wasReady = this.clientId !== null;
        this.socket = null;
        this.clientId = null;
        for (const { reject } of this.waiting.values()) reject(new RoostError(0, 'The connection was lost.'));
        this.waiting.clear();
        if (wasReady) {
            this.ready = new Promise((resolve) => { this.resolveReady = resolve; });
            if (this.options.onDisconnect) this.options.onDisconnect();
        }
        if (this.isClosed) return;
        // Longer and longer, and not everybody at the same time.
        const wait = Math.min(this.options.maxWait || 30000, 200 * 2 ** this.attempts++) * (0.5 + Math.random() / 2);
        this.timer = setTimeout(() => this.open(), wait);
    }

    async greeted(message) {
        this.clientId = message.client;
        this.attempts = 0;
        const after = this.position;
        if (!after) this.position = message.position;
        try {
            if (this.token) await this.send({ type: 'auth', token: this.token });
        } catch (error) {
            this.token = '';
            if (this.options.onSignedOut) this.options.onSignedOut();
        }
        const topics = [...this.topics.keys()];
        try {
            if (topics.length) await this.send({ type: 'subscribe', topics, ...(after ? { after } : {}) });
        } catch (error) {
            return this.restart();
        }
        this.resolveReady();
        if (this.options.onConnect) this.options.onConnect();
    }

    async call(message) {
        await this.connect();
        return this.send(message);
    }

    send(message) {
        const id = ++this.lastId;
        return new Promise((resolve, reject) => {
            if (!this.socket) return reject(new RoostError(0, 'The connection was lost.'));
            this.waiting.set(id, { resolve, reject });
            this.socket.send(JSON.stringify({ ...message, id }));
        });
    }

    received(message) {
        switch (message.type) {
            case 'hello':
                this.greeted(message);
                break;
            case 'event':
            case 'message':
                if (message.position) this.position = message.position;
                this.tell(message);
                break;
            case 'resumed':
                this.position = message.position;
                break;
            case 'gap':
                this.position = message.position;
                if (this.options.onGap) this.options.onGap();
                break;
            case 'auth':
                this.token = '';
                if (this.options.onSignedOut) this.options.onSignedOut();
                break;
            default: {
                const waiting = this.waiting.get(message.id);
                if (!waiting) break;
                this.waiting.delete(message.id);
                if (message.type === 'error') waiting.reject(new RoostError(message.status, message.message, message.data));
                else waiting.resolve(message);
            }
        }
    }

    tell(message) {
        const callbacks = this.topics.get(message.topic);
        if (!callbacks) {
            if (message.type === 'message' && this.options.onMessage) this.options.onMessage(message.topic, message.data);
            return;
        }
        for (const callback of [...callbacks]) callback(message);
    }
}

internal import Engine
internal import JSON
internal import PluginABI
internal import WebServer

/// "roost.http-stream/1".
enum HTTPStreamTable {
    static func make() -> roost_http_stream_v1 {
        roost_http_stream_v1(
            start: { call, request, status, type, options, out in
                HTTPStreamTable.begin(call, request, options, out) { source, options in
                    guard (200...599).contains(status), let type = type.text, HTTPTable.isHeaderValue(type) else {
                        return ROOST_EINVALID
                    }
                    return source.live(status: Int(status), contentType: type, options: options) == nil
                        ? ROOST_ESTALE : ROOST_OK
                }
            },
            accept: { call, request, subprotocol, options, out in
                HTTPStreamTable.begin(call, request, options, out) { source, options in
                    guard let name = subprotocol.text, name.isEmpty || HTTPTable.isHeaderName(name),
                        source.isHandshake
                    else { return ROOST_EINVALID }
                    return source.webSocket(subprotocol: name, options: options) == nil ? ROOST_ESTALE : ROOST_OK
                }
            },
            write: { stream, kind, data in
                guard let data = data.buffer, kind == ROOST_MESSAGE_TEXT || kind == ROOST_MESSAGE_BINARY else {
                    return ROOST_EINVALID
                }
                guard let live = PluginStream.table.find(stream.id)?.stream, !live.isOver else { return ROOST_ESTALE }
                live.send(isText: kind == ROOST_MESSAGE_TEXT, Array(data))
                return ROOST_OK
            },
            write_many: { streams, count, kind, data in
                guard let data = data.buffer, kind == ROOST_MESSAGE_TEXT || kind == ROOST_MESSAGE_BINARY,
                    count <= 1 << 28
                else { return ROOST_EINVALID }
                if count == 0 { return ROOST_OK }
                guard let streams else { return ROOST_EINVALID }
                PluginStream.fanOut(to: UnsafeBufferPointer(start: streams, count: Int(count)))
                    .send(isText: kind == ROOST_MESSAGE_TEXT, UnsafeRawBufferPointer(data))
                return ROOST_OK
            },
            close: { stream, code, reason in
                guard let reason = reason.text, code == 0 || (1000...4999).contains(code) else {
                    return ROOST_EINVALID
                }
                guard let live = PluginStream.table.find(stream.id)?.stream else { return ROOST_ESTALE }
                live.close(code: code == 0 ? 1000 : UInt16(code), reason: reason)
                return ROOST_OK
            },
            pending: { stream in UInt64(PluginStream.table.find(stream.id)?.stream?.pendingBytes ?? 0) },
            request: { stream, method, target, token, body, answer, user in
                guard let answer, let method = method.text, HTTPTable.isHeaderName(method), let target = target.text,
                    target.hasPrefix("/"), target.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }),
                    let token = token.text, HTTPTable.isHeaderValue(token), let body = body.buffer
                else { return ROOST_EINVALID }
                guard let held = PluginStream.table.find(stream.id), let live = held.stream else {
                    return ROOST_ESTALE
                }
                guard let dispatch = held.plugin.services.dispatch, let parent = live.request else {
                    return ROOST_EUNSUPPORTED
                }
                let user = UInt(bitPattern: user)
                dispatch(parent, method, target, token, Array(body)) { status, type, body in
                    withBytes(type) { type in
                        body.withUnsafeBufferPointer {
                            answer(UnsafeMutableRawPointer(bitPattern: user), Int32(status), type, roost_bytes($0))
                        }
                    }
                }
                return ROOST_OK
            })
    }

    private static func begin(
        _ call: OpaquePointer?, _ request: roost_request, _ options: UnsafePointer<roost_stream_options_v1>?,
        _ out: UnsafeMutablePointer<roost_stream>?, _ start: (any PluginRequestSource, LiveOptions) -> roost_status
    ) -> roost_status {
        guard let call = PluginCall.from(call), let owner = call.owner, let out, let options = options?.pointee else {
            return ROOST_EINVALID
        }
        out.pointee = roost_stream()
        guard let exchange = PluginExchange.answering(request.id) else { return ROOST_ESTALE }
        guard exchange.plugin === owner else { return ROOST_EDENIED }
        if exchange.isAnswered { return ROOST_ESTALE }
        let stream = PluginStream(plugin: owner, options: options)
        guard let made = stream.options(options) else {
            stream.forget()
            return ROOST_EINVALID
        }
        // Known before it begins: its first message may come on another thread at once.
        out.pointee = roost_stream(id: stream.handle)
        let status = start(exchange.source, made)
        if status == ROOST_OK {
            if exchange.claimAnswer() { exchange.answered() }
        } else {
            stream.forget()
            out.pointee = roost_stream()
        }
        return status
    }
}

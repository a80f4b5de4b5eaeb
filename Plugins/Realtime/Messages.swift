import PluginKit

/// Server-sent events (html.spec.whatwg.org, "Server-sent events"), written as PocketBase writes them.
enum EventMessage {
    static func make(id: String?, name: String, data: some Sequence<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        if let id {
            bytes += "id:".utf8
            bytes += id.utf8
            bytes.append(10)
        }
        bytes += "event:".utf8
        bytes += name.utf8
        bytes += "\ndata:".utf8
        bytes += data
        bytes += "\n\n".utf8
        return bytes
    }

    /// `{"record":…,"action":"create"}`
    static func change(_ action: Change.Action, _ record: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(record.count + 40)
        bytes += #"{"record":"#.utf8
        bytes += record
        bytes += #","action":""#.utf8
        bytes += action.name.utf8
        bytes += #""}"#.utf8
        return bytes
    }
}

extension Change.Action {
    var name: String {
        switch self {
        case .create: "create"
        case .update: "update"
        case .delete: "delete"
        }
    }
}

/// What is said over WebSockets: JSON objects with a `type`.
enum SocketMessage {
    static func make(_ type: StaticString, id: JSON? = nil, _ fill: (inout JSONWriter) -> Void = { _ in }) -> [UInt8] {
        var writer = JSONWriter(capacity: 256)
        writer.beginObject()
        writer.key("type")
        writer.string("\(type)")
        if let id {
            writer.key("id")
            writer.json(id)
        }
        fill(&writer)
        writer.endObject()
        return writer.bytes
    }

    static func error(
        _ id: JSON?, _ status: Int, _ message: String, data: JSONObject = JSONObject()
    ) -> [UInt8] {
        make("error", id: id) { writer in
            writer.key("status")
            writer.int(status)
            writer.key("message")
            writer.string(message)
            writer.key("data")
            writer.object(data)
        }
    }

    static func change(
        _ topic: String, _ action: Change.Action, _ record: [UInt8], position: String?
    ) -> [UInt8] {
        make("event") { writer in
            writer.key("topic")
            writer.string(topic)
            writer.key("action")
            writer.string(action.name)
            if let position {
                writer.key("position")
                writer.string(position)
            }
            writer.key("record")
            writer.raw(record)
        }
    }

    static func message(_ topic: String, _ data: [UInt8]) -> [UInt8] {
        make("message") { writer in
            writer.key("topic")
            writer.string(topic)
            writer.key("data")
            writer.raw(data)
        }
    }
}

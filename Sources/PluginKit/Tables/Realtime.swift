internal import PluginABI
internal import Synchronization

/// The plugin that has the subscriptions, as others see it.
///
///     let realtime = Realtime(host)
///     try realtime?.publish("news", ["title": "Hello"], records)
///
/// `@unchecked Sendable`: the table is the offering plugin's and lives for ever.
public final class Realtime: @unchecked Sendable {
    private let table: UnsafePointer<roost_realtime_v1>

    /// - Returns: nil when no plugin has subscriptions.
    public init?(_ host: Host) {
        guard let table = host.table(ROOST_TABLE_REALTIME) else { return nil }
        self.table = table.assumingMemoryBound(to: roost_realtime_v1.self)
    }

    /// Sends a message to all clients that subscribed to a topic, or to one of them. Any thread; does not wait.
    public func publish(_ topic: String, _ data: JSON, to client: String = "", _ records: Records) throws {
        let bytes = data.serializedBytes()
        try check(
            topic.withRoostBytes { topic in
                client.withRoostBytes { client in
                    bytes.withRoostBytes {
                        table.pointee.publish?(table.pointee.realtime, records.call.raw, topic, $0, client)
                    }
                }
            })
    }

    public var clients: Int { Int(clamping: table.pointee.clients?(table.pointee.realtime) ?? 0) }
}

/// Answers to single clients of the plugin that has the subscriptions.
///
/// `@unchecked Sendable`: the table is the offering plugin's and lives for ever.
public final class RealtimeDelivery: @unchecked Sendable {
    private let table: UnsafePointer<roost_realtime_delivery_v1>

    /// - Returns: nil when no plugin has subscriptions.
    public init?(_ host: Host) {
        guard let table = host.table(ROOST_TABLE_REALTIME_DELIVERY) else { return nil }
        self.table = table.assumingMemoryBound(to: roost_realtime_delivery_v1.self)
    }

    /// Sends a message to a client if it subscribed to the topic and came from the address, and ends that subscription.
    ///
    /// - Returns: whether it was sent.
    public func deliver(
        _ topic: String, _ data: JSON, to client: String, at address: String, for request: HTTPRequest
    ) async -> Bool {
        let bytes = data.serializedBytes()
        return await withCheckedContinuation { continuation in
            let box = Unmanaged.passRetained(DeliveryBox(continuation))
            let status = topic.withRoostBytes { topic in
                client.withRoostBytes { client in
                    address.withRoostBytes { address in
                        bytes.withRoostBytes {
                            table.pointee.deliver?(
                                table.pointee.realtime, request.call.raw, client, address, topic, $0,
                                { user, wasSent in
                                    guard let user else { return }
                                    Unmanaged<DeliveryBox>.fromOpaque(user).takeRetainedValue().continuation.resume(
                                        returning: wasSent == 1)
                                }, box.toOpaque())
                        }
                    }
                }
            }
            if (status ?? ROOST_EUNSUPPORTED) < 0 {
                box.release()
                continuation.resume(returning: false)
            }
        }
    }
}

private final class DeliveryBox: Sendable {
    let continuation: CheckedContinuation<Bool, Never>
    init(_ continuation: CheckedContinuation<Bool, Never>) { self.continuation = continuation }
}

/// What is about to happen.
public struct RealtimeEvent: Sendable {
    public enum Kind: UInt32, Sendable {
        case connect = 1
        case subscribe, message
    }
    public var kind: Kind
    public var client = ""
    public var isWebSocket = false
    public var topic = ""
    /// JSON.
    public var data: [UInt8] = []
    public var authCollection = ""
    public var authRecord = ""

    public init(_ kind: Kind) { self.kind = kind }
}

/// What the plugin with the subscriptions implements for the others.
public protocol RealtimeService: AnyObject, Sendable {
    func publish(_ topic: String, _ data: [UInt8], to client: String, _ records: Records) throws
    /// Sends JSON to a client if it subscribed to the topic and came from the address, and ends that subscription. `done`
    /// is told once whether it was sent.
    func deliver(
        _ topic: String, _ data: [UInt8], to client: String, at address: String,
        done: @escaping @Sendable (Bool) -> Void)
    var clients: Int { get }
}

/// The hooks that other plugins added.
///
/// `@unchecked Sendable`: the pointers are the plugins' and live as long as the process; the list is locked.
public final class RealtimeHooks: @unchecked Sendable {
    private typealias Entry = (priority: Int32, hook: roost_realtime_hook, user: UInt)
    private let entries = Mutex<[UncheckedEntry]>([])
    private struct UncheckedEntry: @unchecked Sendable { let entry: Entry }

    init() {}

    func add(_ priority: Int32, _ hook: @escaping roost_realtime_hook, _ user: UnsafeMutableRawPointer?) {
        let entry = UncheckedEntry(entry: (priority, hook, UInt(bitPattern: user)))
        entries.withLock { entries in
            entries.append(entry)
            entries.sort { $0.entry.priority < $1.entry.priority }
        }
    }

    public var isEmpty: Bool { entries.withLock { $0.isEmpty } }

    /// Asks all hooks; what one has against it is thrown, as a `ServiceError` with the words that it gave.
    public func run(_ event: RealtimeEvent, _ records: Records) throws {
        for entry in entries.withLock({ $0 }) {
            var raw = roost_realtime_event_v1()
            raw.kind = event.kind.rawValue
            raw.is_websocket = event.isWebSocket ? 1 : 0
            let status = event.client.withRoostBytes { client in
                event.topic.withRoostBytes { topic in
                    event.data.withRoostBytes { data in
                        event.authCollection.withRoostBytes { collection in
                            event.authRecord.withRoostBytes { record in
                                raw.client = client
                                raw.topic = topic
                                raw.data = data
                                raw.auth_collection = collection
                                raw.auth_record = record
                                return withUnsafePointer(to: raw) {
                                    entry.entry.hook(
                                        UnsafeMutableRawPointer(bitPattern: entry.entry.user), records.call.raw, $0)
                                }
                            }
                        }
                    }
                }
            }
            if status < 0 { throw records.call.takeFailure() ?? HostError(status: status) }
        }
    }
}

extension Host {
    /// Makes the plugin the one with the subscriptions. plugin.json must offer "roost.realtime/1".
    /// - Returns: where the hooks of others gather.
    public func offerRealtime(_ service: any RealtimeService) throws -> RealtimeHooks {
        let hooks = RealtimeHooks()
        // Both live as long as the process.
        let box = Unmanaged.passRetained(RealtimeBox(self, service, hooks))
        let table = UnsafeMutablePointer<roost_realtime_v1>.allocate(capacity: 1)
        table.initialize(
            to: roost_realtime_v1(
                realtime: box.toOpaque(),
                publish: { realtime, raw, topic, data, client in
                    guard let realtime, let raw else { return ROOST_EINVALID }
                    let box = Unmanaged<RealtimeBox>.fromOpaque(realtime).takeUnretainedValue()
                    guard JSONParser.isValid(data.buffer) else { return ROOST_EINVALID }
                    let call = Call(raw, box.host)
                    return call.run {
                        try box.service.publish(topic.string, Array(data.buffer), to: client.string, Records(call))
                    }
                },
                add_hook: { realtime, _, priority, hook, user in
                    guard let realtime, let hook else { return ROOST_EINVALID }
                    Unmanaged<RealtimeBox>.fromOpaque(realtime).takeUnretainedValue().hooks.add(priority, hook, user)
                    return ROOST_OK
                },
                clients: { realtime in
                    guard let realtime else { return 0 }
                    return UInt64(Unmanaged<RealtimeBox>.fromOpaque(realtime).takeUnretainedValue().service.clients)
                }, reserved: 0))
        try offer(ROOST_TABLE_REALTIME, table: UnsafeRawPointer(table))
        let delivery = UnsafeMutablePointer<roost_realtime_delivery_v1>.allocate(capacity: 1)
        delivery.initialize(
            to: roost_realtime_delivery_v1(
                realtime: box.toOpaque(),
                deliver: { realtime, _, client, address, topic, data, done, user in
                    guard let realtime, let done, JSONParser.isValid(data.buffer) else { return ROOST_EINVALID }
                    let box = Unmanaged<RealtimeBox>.fromOpaque(realtime).takeUnretainedValue()
                    let user = UInt(bitPattern: user)
                    box.service.deliver(
                        topic.string, Array(data.buffer), to: client.string, at: address.string
                    ) { done(UnsafeMutableRawPointer(bitPattern: user), $0 ? 1 : 0) }
                    return ROOST_OK
                }, reserved: (0, 0)))
        try offer(ROOST_TABLE_REALTIME_DELIVERY, table: UnsafeRawPointer(delivery))
        return hooks
    }
}

private final class RealtimeBox: Sendable {
    let host: Host
    let service: any RealtimeService
    let hooks: RealtimeHooks

    init(_ host: Host, _ service: any RealtimeService, _ hooks: RealtimeHooks) {
        self.host = host
        self.service = service
        self.hooks = hooks
    }
}

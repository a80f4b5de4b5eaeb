import PluginKit
import Synchronization

/// Who is signed in on a connection.
struct Identity: Sendable, Equatable {
    var collectionID: String
    var id: String
    /// Changes with the password: the identity is over then.
    var tokenKey: String

    init(_ record: Record) {
        collectionID = record.collectionID
        id = record.id
        tokenKey = record.text("tokenKey")
    }

    var key: String { collectionID + "/" + id }

    static func isSame(_ a: Identity?, _ b: Identity?) -> Bool { a?.key == b?.key }
}

/// How a client is spoken to.
enum Manner: Sendable {
    /// Server-sent events as PocketBase sends them.
    case plain
    /// Server-sent events whose ids are positions.
    case positions
    case socket
}

/// One connection.
///
/// `@unchecked Sendable`: what the hub keeps of it belongs to the hub's thread; the rest is constant or locked.
final class Client: StreamHandler, @unchecked Sendable {
    struct Link {
        var stream: Stream?
        var hasEnded = false
        /// The token of a WebSocket's client, for its requests.
        var token = ""
        /// Requests that are under way.
        var requests = 0
        /// Other messages of a WebSocket's client that wait, and their bytes.
        var jobs = 0
        var jobBytes = 0
    }

    let id: String
    let manner: Manner
    /// The address that it came from, which its subscriptions must come from as well.
    let address: String
    /// Whether it is told positions.
    let resumes: Bool
    let link = Mutex(Link())
    private unowned let hub: Hub

    // The hub's thread:
    var identity: Identity?
    var memberships: [Membership] = []
    /// Where it wants to go on from, until it has subscribed.
    var resumeFrom: Position?
    /// Changes up to this position were sent or are being sent by other ways.
    var floor: Int64 = 0
    var isGone = false

    init(hub: Hub, manner: Manner, address: String, resumes: Bool) {
        self.hub = hub
        self.manner = manner
        self.address = address
        self.resumes = resumes
        id = Client.randomID()
    }

    /// 40 letters and digits.
    private static func randomID() -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        var generator = SystemRandomNumberGenerator()
        var id: [UInt8] = []
        id.reserveCapacity(40)
        for _ in 0..<4 {
            // 62 to the power of 10.
            var number = UInt64.random(in: 0..<839_299_365_868_340_224, using: &generator)
            for _ in 0..<10 {
                id.append(digits[Int(number % 62)])
                number /= 62
            }
        }
        return String(decoding: id, as: UTF8.self)
    }

    var stream: Stream? { link.withLock { $0.hasEnded ? nil : $0.stream } }

    func send(_ bytes: [UInt8]) {
        if let stream { hub.host.write(bytes, to: stream) }
    }

    func close(code: Int = 0, reason: String = "") {
        if let stream { hub.host.close(stream, code: code, reason: reason) }
    }

    // MARK: StreamHandler

    func received(_ data: UnsafeBufferPointer<UInt8>, isText: Bool, on stream: Stream) {
        link.withLock { if $0.stream == nil { $0.stream = stream } }
        guard isText else { return send(SocketMessage.error(nil, 400, "Only text messages are understood.")) }
        hub.received(data, from: self, on: stream)
    }

    func ended(_ stream: Stream, _ reason: StreamEnd) {
        link.withLock { $0.hasEnded = true }
        hub.left(self)
    }
}

internal import Engine
internal import JSON
internal import Store
internal import Synchronization

/// Stands for the records of a server that has one empty collection: everything is found to be missing.
struct CheckRecords: RecordHost {
    let known: Collection

    private func need(_ collection: String) throws {
        guard collection == known.id || collection == known.name else {
            throw ServiceError.notFound("There is no collection \"\(collection)\".")
        }
    }

    func collection(_ nameOrID: String, in transaction: RecordTransaction?) -> Collection? {
        nameOrID == known.id || nameOrID == known.name ? known : nil
    }
    func find(_ collection: String, id: String, in transaction: RecordTransaction?) throws -> Record? {
        try need(collection)
        return nil
    }
    func find(
        _ collection: String, field: String, equals value: Value, ignoringCase: Bool,
        in transaction: RecordTransaction?
    ) throws -> Record? {
        try need(collection)
        return nil
    }
    func list(
        _ collection: String, filter: String, sort: String, parameters: JSONObject, offset: Int, limit: Int,
        in transaction: RecordTransaction?
    ) throws -> [Record] {
        try need(collection)
        return []
    }
    func count(_ collection: String, ids: [String], in transaction: RecordTransaction?) throws -> Int {
        try need(collection)
        return 0
    }
    func create(_ collection: String) throws -> Record {
        try need(collection)
        return Record(new: known)
    }
    func save(_ record: Record, unchecked: Bool, in transaction: RecordTransaction?) throws {
        throw ServiceError.validation("", ["id": .invalidValue])
    }
    func remove(_ record: Record, in transaction: RecordTransaction?) throws { throw ServiceError.notFound() }
    func transaction(
        in outer: RecordTransaction?, _ body: @escaping @Sendable (RecordTransaction) throws -> Void
    ) throws {
        let connection = try Connection(path: ":memory:", access: .readWrite(create: true))
        try body(RecordTransaction(connection: connection, schema: Schema(collections: [known], version: 1)))
    }
    func export(
        _ record: Record, audience: RecordAudience, expand: String, fields: String,
        request: (any PluginRequestSource)?
    ) throws -> String { "{}" }
    func matches(_ record: Record, rule: String, auth: Record?, context: String) throws -> Bool { false }
}

/// A request that counts its answers.
final class CheckRequest: PluginRequestSource {
    let method: String
    let path: String
    let body: [UInt8]
    let remoteIP = "192.0.2.1"
    let auth: Record? = nil
    private let answers = Mutex(0)

    init(method: String, path: String, body: [UInt8]) {
        self.method = method
        self.path = path
        self.body = body
    }

    var answerCount: Int { answers.withLock { $0 } }
    var isOpen: Bool { answerCount == 0 }
    func parameter(_ name: String) -> String? { "value" }
    func query(_ name: String) -> String? { name.utf8.count > 64 ? nil : "" }
    func header(_ name: String) -> String? { nil }
    func bodyObject() throws -> JSONObject {
        guard let object = (try? JSONParser.parse(body))?.objectValue else { throw ServiceError.badRequest() }
        return object
    }
    func addHeader(_ name: String, _ value: String) {}
    func file(_ key: String, name: String, isDownload: Bool) -> (() -> Void)? { nil }
    func respond(status: Int, contentType: String, body: [UInt8]) { answers.withLock { $0 += 1 } }
    func respond(_ error: ServiceError) { answers.withLock { $0 += 1 } }
}

/// An event that nothing comes after.
final class CheckEvent: PluginEvent {
    let name: String
    let record: Record?
    let request: (any PluginRequestSource)?
    let transaction: RecordTransaction?
    private let failure: (any Error)?

    init(name: String, record: Record?, transaction: RecordTransaction?, failure: (any Error)?) {
        self.name = name
        self.record = record
        self.request = nil
        self.transaction = transaction
        self.failure = failure
    }

    func next() throws { if let failure { throw failure } }
}

/// What fields are driven with.
enum CheckValues {
    static let all: [Value] = {
        var values: [Value] = [
            .null, .bool(true), .bool(false), .number(0), .number(-0.0), .number(1), .number(-1.5), .number(1e308),
            .number(.leastNonzeroMagnitude), .number(9_007_199_254_740_992),
        ]
        let texts = [
            "", " ", "a", "0", "-1", "1e400", "true", "null", "[]", "{}", "[1", "2024-02-30 25:61:61", "2024-01-01",
            "2024-01-01 00:00:00.000Z", "a@example.com", "@", "https://example.com/?q=ä#x", "javascript:alert(1)",
            "<script>alert(1)</script>", "../../etc/passwd", "a\0b", "\u{202E}abc", "é", "e\u{301}", "👨‍👩‍👧‍👦", "\n\r\t",
            "' OR 1=1 --", "%s%n%x", String(repeating: "a", count: 70), String(repeating: "ä", count: 70_000),
            String(repeating: "x", count: 1 << 18),
        ]
        values += texts.map { .text($0) }
        let documents = [
            "[]", "{}", "null", "true", "1", "\"text\"", "[\"a\",\"b\"]", "[\"a\",\"a\",\"\"]", "[null,1,true,{},[]]",
            "{\"lon\":1.5,\"lat\":-2}", "{\"lon\":\"x\",\"lat\":1e300}", "{\"a\":{\"b\":[1,2,{\"c\":null}]}}",
            String(repeating: "[", count: 400) + String(repeating: "]", count: 400),
            "[" + (0..<1000).map { "\"id\($0)\"" }.joined(separator: ",") + "]",
        ]
        values += documents.map { .json($0) }
        return values
    }()

    static let small = all.filter { size(of: $0) < 1000 }

    /// Bytes of a value's text or document.
    static func size(of value: Value) -> Int {
        switch value {
        case .text(let text), .json(let text): text.utf8.count
        case .null, .bool, .number: 0
        }
    }

    static let bodies: [[UInt8]] = [
        [], Array("{}".utf8), Array("{\"name\":\"x\",\"list\":[1,2]}".utf8), Array("[".utf8),
        [0xFF, 0xFE, 0x00, 0x80], Array(repeating: 0x41, count: 100_000),
    ]
}

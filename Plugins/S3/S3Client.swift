import Glibc
import PluginKit
import Transfers

/// A signed request to a bucket.
struct S3Request: Sendable {
    var method: String
    /// Empty for the bucket itself.
    var key = ""
    var query: [(String, String)] = []
    /// Names in lower case.
    var headers: [(String, String)] = []
    var body = HTTPBody.none
}

/// The answer to a request, without a body that was passed on.
struct S3Answer: Sendable {
    var head: HTTPHead
    var body: [UInt8]

    /// The body as a document of a name.
    func document(_ name: String) throws(StorageError) -> XMLElement {
        guard let document = XMLElement(parsing: body), document.name == name else {
            throw StorageError(.failed, "The S3 service answers with something else than a \(name).")
        }
        return document
    }
}

/// Sends requests to a bucket, signed, and again when the service or the network falters.
struct S3Client: Sendable {
    let settings: S3Settings
    private let handles = HandlePool()

    init(_ settings: S3Settings) { self.settings = settings }

    /// Sends a request until it is answered for good.
    ///
    /// - Throws: ``StorageError`` for any answer that is no success.
    func send(_ request: S3Request) throws(StorageError) -> S3Answer {
        var retries = Retries()
        while true {
            do throws(Attempt.Failure) {
                return try Attempt(client: self, request: request).run()
            } catch {
                try retries.wait(after: error)
            }
        }
    }

    /// Sends a request once; a success's body goes to `pass`.
    ///
    /// - Parameter begin: told the head of a success; what it throws ends the transfer.
    func attempt(
        _ request: S3Request, begin: @escaping (HTTPHead) throws -> Void,
        pass: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws(Attempt.Failure) {
        _ = try Attempt(client: self, request: request).run(begin: begin, pass: pass)
    }

    /// One try of a request.
    struct Attempt {
        /// Why a try came to nothing, and whether another may do better.
        struct Failure: Error {
            var error: StorageError
            var isTransient: Bool
            /// Thrown by who takes the body; to be passed on.
            var own: (any Error)?
            /// Seconds that the service asks for.
            var after = 0
        }

        let client: S3Client
        let request: S3Request

        func run(
            begin: ((HTTPHead) throws -> Void)? = nil,
            pass: @escaping (UnsafeRawBufferPointer) throws -> Void = { _ in }
        ) throws(Failure) -> S3Answer {
            let transfer: HTTPTransfer
            do {
                let (url, headers) = try signed()
                var limits = HTTPLimits()
                limits.usesProxy = !client.settings.isLocal
                transfer = HTTPTransfer(
                    request.body, limits: limits,
                    begin: { head in
                        guard (200..<300).contains(head.status), let begin else { return false }
                        try begin(head)
                        return true
                    }, pass: pass)
                try client.handles.withHandle {
                    try transfer.perform($0, request.method, url, headers)
                }
            } catch let error as HTTPError {
                throw Failure(
                    error: StorageError(
                        .failed, "The S3 service at \(client.settings.host) cannot be used: \(error.reason)."),
                    isTransient: error.isTransient)
            } catch let error as StorageError {
                throw Failure(error: error, isTransient: false)
            } catch {
                throw Failure(error: .stopped, isTransient: false, own: error)
            }
            let answer = S3Answer(head: transfer.head, body: transfer.body)
            if (200..<300).contains(answer.head.status) { return answer }
            throw S3Refusal(answer).failure
        }

        private func signed() throws(StorageError) -> (url: String, headers: [(String, String)]) {
            let settings = client.settings
            let path = settings.path(request.key)
            let query = SignatureV4.query(request.query)
            // TLS keeps a body whole; without it the signature does.
            let payload =
                settings.isEncrypted && request.body.length > 0
                ? SignatureV4.unsignedPayload : try request.body.sha256()
            let headers = SignatureV4(settings: settings).sign(
                request.method, path: path, query: request.query,
                headers: request.headers + [("accept-encoding", "identity")], payload: payload)
            return (settings.url(path: path, query: query), headers)
        }
    }
}

extension HTTPBody {
    /// In hexadecimal digits.
    func sha256() throws(StorageError) -> String {
        switch self {
        case .none: return SHA256.hex([])
        case .bytes(let bytes): return SHA256.hex(bytes)
        case .source(let source, let offset, let length):
            let hash = SHA256()
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)
            defer { buffer.deallocate() }
            var done: UInt64 = 0
            while done < length {
                let wanted = Int(min(UInt64(buffer.count), length - done))
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
                let count = source.read(at: offset + done, into: part)
                guard count > 0 else {
                    throw StorageError(.failed, "The file that is to be stored could not be read.")
                }
                hash.update(UnsafeRawBufferPointer(rebasing: part[..<count]))
                done += UInt64(count)
            }
            return hash.finish()
        }
    }
}

/// How often and after how long something is tried again: five times in about 20 seconds.
struct Retries {
    private static let most = 4
    /// After so many seconds nothing is tried again.
    private static let patience = 20

    private var count = 0
    private var start = Self.now()

    private static func now() -> Int {
        var moment = timespec()
        clock_gettime(CLOCK_MONOTONIC, &moment)
        return moment.tv_sec
    }

    /// Something went well in between.
    mutating func progress() { self = Retries() }

    /// Waits before the next try.
    /// - Throws: the failure when there is to be none.
    mutating func wait(after failure: S3Client.Attempt.Failure) throws(StorageError) {
        guard failure.isTransient, count < Self.most, Self.now() - start < Self.patience else { throw failure.error }
        // 0.1, 0.3, 0.9 and 2.7 seconds, spread so that many do not come back at once.
        var milliseconds = 100
        for _ in 0..<count { milliseconds *= 3 }
        milliseconds = Int.random(in: (milliseconds / 2)...milliseconds) + min(failure.after, 5) * 1000
        count += 1
        usleep(UInt32(milliseconds) * 1000)
    }
}

import COpenSSL
import Glibc
import NIOCore
import NIOSSL
import Synchronization

/// A server's certificate with its key, read from two PEM files and read again when they change.
///
/// ```swift
/// var configuration = WebServerConfiguration()
/// configuration.use(try TLSCertificate(certificate: "cert.pem", key: "key.pem"))
/// ```
package final class TLSCertificate: Sendable {
    /// A sentence for the operator.
    package struct Failure: Error, CustomStringConvertible, Equatable {
        package let description: String
    }

    /// What became of a look at the files.
    package enum Reload: Equatable, Sendable {
        case unchanged
        case reloaded
        /// What is in the files cannot be used, told once for each state of them; the old certificate stays in force.
        case failed(Failure)
    }

    private struct State {
        var context: NIOSSLContext
        var seen: [FileMark]
    }

    package let certificate: String
    package let key: String
    private let domains: [String]
    private let state: Mutex<State>

    /// Reads both files. Blocks.
    ///
    /// - Parameters:
    ///   - certificate: a PEM file of the server's certificate and those that lead to a known authority, in that order.
    ///   - key: a PEM file of its private key, not encrypted.
    ///   - domains: names that the certificate must be good for.
    /// - Throws: why they cannot be used.
    package init(certificate: String, key: String, domains: [String] = []) throws(Failure) {
        self.certificate = certificate
        self.key = key
        let seen = Self.marks([certificate, key])
        self.domains = domains
        let context = try Self.load(certificate, key, for: domains)
        state = Mutex(State(context: context, seen: seen))
    }

    /// Takes what is in the files now, if they have changed. New connections get it; those that are there keep theirs.
    /// Blocks.
    package func reloadIfChanged() -> Reload {
        let marks = Self.marks([certificate, key])
        guard state.withLock({ $0.seen }) != marks else { return .unchanged }
        do throws(Failure) {
            let context = try Self.load(certificate, key, for: domains)
            state.withLock { $0 = State(context: context, seen: marks) }
            return .reloaded
        } catch {
            state.withLock { $0.seen = marks }
            return .failed(error)
        }
    }

    /// The handler that encrypts one connection.
    func handler() -> NIOSSLServerHandler {
        NIOSSLServerHandler(context: state.withLock { $0.context })
    }

    // MARK: - Reading

    /// What tells one state of a file from another.
    private struct FileMark: Equatable {
        var inode: UInt64 = 0
        var size = 0
        var seconds = 0
        var nanoseconds = 0
    }

    private static func marks(_ paths: [String]) -> [FileMark] {
        paths.map { path in
            var status = stat()
            guard stat(path, &status) == 0 else { return FileMark() }
            return FileMark(
                inode: UInt64(status.st_ino), size: Int(status.st_size), seconds: status.st_mtim.tv_sec,
                nanoseconds: status.st_mtim.tv_nsec)
        }
    }

    private static func load(
        _ certificate: String, _ key: String, for domains: [String]
    ) throws(Failure) -> NIOSSLContext {
        let chain = try chain(in: certificate)
        for domain in domains where !covers(chain[0], domain) {
            throw Failure(description: "The certificate in \(certificate) is not for \(domain).")
        }
        let bytes = try content(of: key, "key")
        guard let privateKey = try? NIOSSLPrivateKey(bytes: bytes, format: .pem) else {
            let isEncrypted = String(decoding: bytes, as: UTF8.self).contains("ENCRYPTED")
            throw Failure(
                description: isEncrypted
                    ? "The key in \(key) is encrypted: give one without a passphrase."
                    : "\(key) holds no private key in PEM form.")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        guard let context = try? NIOSSLContext(configuration: configuration) else {
            throw Failure(description: "The key in \(key) does not belong to the certificate in \(certificate).")
        }
        return context
    }

    /// The certificates of a file: one at least, the first of which is valid now.
    private static func chain(in path: String) throws(Failure) -> [NIOSSLCertificate] {
        let bytes = try content(of: path, "certificate")
        guard let chain = try? NIOSSLCertificate.fromPEMBytes(bytes), let leaf = chain.first else {
            throw Failure(description: "\(path) holds no certificate in PEM form.")
        }
        let now = time(nil)
        if leaf.notValidAfter < now {
            throw Failure(description: "The certificate in \(path) has expired on \(day(leaf.notValidAfter)).")
        }
        if leaf.notValidBefore > now {
            throw Failure(description: "The certificate in \(path) is not valid before \(day(leaf.notValidBefore)).")
        }
        return chain
    }

    /// The bytes of a small file.
    private static func content(of path: String, _ what: String) throws(Failure) -> [UInt8] {
        func failure() -> Failure {
            Failure(description: "The \(what) \(path) cannot be read: \(String(cString: strerror(errno))).")
        }
        let limit = 1 << 20
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure() }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16384)
        while bytes.count <= limit {
            let count = read(descriptor, &piece, piece.count)
            guard count >= 0 else { throw failure() }
            if count == 0 { return bytes }
            bytes += piece.prefix(count)
        }
        throw Failure(description: "The \(what) \(path) is too large.")
    }

    /// `2026-01-31`, UTC.
    private static func day(_ seconds: time_t) -> String {
        var seconds = seconds
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
    }

    /// RFC 6125: whether a certificate is for a host.
    private static func covers(_ certificate: NIOSSLCertificate, _ domain: String) -> Bool {
        guard let bytes = try? certificate.toDERBytes() else { return false }
        return bytes.withUnsafeBufferPointer { bytes in
            var start = bytes.baseAddress
            guard let parsed = d2i_X509(nil, &start, bytes.count) else { return false }
            defer { X509_free(parsed) }
            return X509_check_host(parsed, domain, domain.utf8.count, 0, nil) == 1
        }
    }
}

extension WebServerConfiguration {
    /// Encrypts all connections.
    package mutating func use(_ certificate: TLSCertificate) {
        isSecure = true
        configureChannel = { channel in
            try channel.pipeline.syncOperations.addHandler(certificate.handler())
        }
    }
}

import COpenSSL
import Glibc

/// AWS Signature Version 4 for S3.
///
/// libcurl can sign too, but up to 8.x not what S3 needs: it neither orders nor escapes the query as the canonical
/// request wants it, and it hashes bodies that lie in memory only. So the signature is made here, over exactly the
/// bytes that are sent.
struct SignatureV4 {
    static let unsignedPayload = "UNSIGNED-PAYLOAD"

    let settings: S3Settings

    /// The headers of a request with those that sign it.
    ///
    /// - Parameters:
    ///   - path: as it stands in the URL, escaped.
    ///   - query: the parameters, not escaped.
    ///   - headers: names in lower case; `content-type` and `x-amz-*` are signed.
    ///   - payload: the body's SHA-256 in hexadecimal digits, or ``unsignedPayload``.
    func sign(
        _ method: String, path: String, query: [(String, String)], headers: [(String, String)], payload: String,
        now: time_t = time(nil)
    ) -> [(String, String)] {
        let (date, moment) = Self.moment(now)
        let headers =
            headers + [
                ("host", settings.host), ("x-amz-content-sha256", payload), ("x-amz-date", moment),
            ]
        let signed = headers.filter { $0.0 == "host" || $0.0 == "content-type" || $0.0.hasPrefix("x-amz-") }
            .sorted { $0.0 < $1.0 }
        let names = signed.map(\.0).joined(separator: ";")
        let canonical = [
            method, path, Self.query(query), signed.map { "\($0.0):\(Self.trimmed($0.1))\n" }.joined(), names, payload,
        ].joined(separator: "\n")
        let scope = "\(date)/\(settings.region)/s3/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(moment)\n\(scope)\n\(SHA256.hex(Array(canonical.utf8)))"
        var key = Array("AWS4\(settings.secret)".utf8)
        for part in [date, settings.region, "s3", "aws4_request"] { key = Self.hmac(key, part) }
        let signature = SHA256.hexDigits(Self.hmac(key, text))
        let authorization =
            "AWS4-HMAC-SHA256 Credential=\(settings.accessKey)/\(scope), SignedHeaders=\(names), Signature=\(signature)"
        return headers + [("authorization", authorization)]
    }

    /// Parameters as the canonical request has them, and the URL too.
    static func query(_ parameters: [(String, String)]) -> String {
        parameters.map { (S3Escape.segment($0.0), S3Escape.segment($0.1)) }.sorted { $0 < $1 }
            .map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }

    /// Without spaces around it, and with one where there are several.
    private static func trimmed(_ value: String) -> String {
        value.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }

    /// `20130524` and `20130524T000000Z`.
    private static func moment(_ now: time_t) -> (String, String) {
        var now = now
        var parts = tm()
        gmtime_r(&now, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let date = "\(parts.tm_year + 1900)\(two(parts.tm_mon + 1))\(two(parts.tm_mday))"
        return (date, "\(date)T\(two(parts.tm_hour))\(two(parts.tm_min))\(two(parts.tm_sec))Z")
    }

    private static func hmac(_ key: [UInt8], _ text: String) -> [UInt8] {
        var text = text
        return text.withUTF8 { text in
            [UInt8](unsafeUninitializedCapacity: 32) { out, count in
                var length: UInt32 = 0
                let made = HMAC(
                    EVP_sha256(), key, Int32(key.count), text.baseAddress, text.count, out.baseAddress, &length)
                count = made == nil ? 0 : Int(length)
            }
        }
    }
}

/// SHA-256 of what arrives in pieces.
final class SHA256 {
    private let context = EVP_MD_CTX_new()

    init() { EVP_DigestInit_ex(context, EVP_sha256(), nil) }
    deinit { EVP_MD_CTX_free(context) }

    func update(_ bytes: UnsafeRawBufferPointer) { EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) }

    func finish() -> String {
        let digest = [UInt8](unsafeUninitializedCapacity: 32) { out, count in
            var length: UInt32 = 0
            EVP_DigestFinal_ex(context, out.baseAddress, &length)
            count = Int(length)
        }
        return Self.hexDigits(digest)
    }

    static func hex(_ bytes: [UInt8]) -> String {
        let hash = SHA256()
        bytes.withUnsafeBytes { hash.update($0) }
        return hash.finish()
    }

    static func hexDigits(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

import AuthForms
import COpenSSL
import PluginKit
import WebTokens

/// `POST /api/settings/apple/generate-client-secret`: what Apple takes for a client's secret, a token that the developer's
/// key signs and that lasts half a year at most.
enum AppleSecretRoute {
    private static let longest: Int64 = 15_777_000

    static func add(to host: Host) throws {
        try host.route(
            "POST", "/api/settings/apple/generate-client-secret", run: .worker, audience: .superusers
        ) { request in
            let secret = JSON.string(try make(try Form(request)))
            return .json(["secret": secret])
        }
    }

    private static func make(_ form: Form) throws -> String {
        let client = try form.text("clientId")
        let team = try form.text("teamId")
        let keyID = try form.text("keyId")
        let key = try form.text("privateKey")
        let duration = try form.integer("duration")
        var failures: [String: Failure] = [:]
        if client.isEmpty { failures["clientId"] = .required }
        failures["teamId"] = length(team)
        failures["keyId"] = length(keyID)
        if key.isEmpty {
            failures["privateKey"] = .required
        } else if !isKey(key) {
            failures["privateKey"] = Failure("validation_match_invalid", "Must be in a valid format.")
        }
        if duration == 0 {
            failures["duration"] = .required
        } else if duration < 1 {
            failures["duration"] = .below(1)
        } else if duration > longest {
            failures["duration"] = .above(.number(Double(longest)))
        }
        if !failures.isEmpty { throw ServiceError.badRequest("Invalid client secret data.", fields: failures) }
        let now = DateTime.now().seconds
        let header: JSON = ["alg": "ES256", "kid": .string(keyID), "typ": "JWT"]
        let claims: JSON = [
            "iss": .string(team), "sub": .string(client), "aud": ["https://appleid.apple.com"],
            "exp": .number(Double(now + duration)), "iat": .number(Double(now)),
        ]
        var token: [UInt8] = []
        Base64URL.encode(header.serializedBytes(), into: &token)
        token.append(UInt8(ascii: "."))
        Base64URL.encode(claims.serializedBytes(), into: &token)
        let signature = try sign(token, with: key)
        token.append(UInt8(ascii: "."))
        Base64URL.encode(signature, into: &token)
        return String(decoding: token, as: UTF8.self)
    }

    private static func length(_ text: String) -> Failure? {
        if text.isEmpty { return .required }
        if text.utf8.count == 10 { return nil }
        return Failure(
            "validation_length_invalid", "The length must be exactly 10.", params: ["max": 10, "min": 10])
    }

    /// Whether a text has the lines of a key in it.
    private static func isKey(_ text: String) -> Bool {
        guard let begin = text.firstRange(of: "-----BEGIN PRIVATE KEY----") else { return false }
        let rest = text[begin.upperBound...]
        guard let end = rest.firstRange(of: "-----END PRIVATE KEY-----") else { return false }
        return end.lowerBound > rest.startIndex
    }

    /// ES256 (RFC 7518, section 3.4).
    private static func sign(_ bytes: [UInt8], with pem: String) throws -> [UInt8] {
        func failure(_ reason: String) -> ServiceError {
            .badRequest("Failed to generate client secret. Raw error: \n\(reason)")
        }
        let text = Array(pem.trimmingSpaces.utf8)
        let read = text.withUnsafeBytes { bytes -> OpaquePointer? in
            guard let source = BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count)) else { return nil }
            defer { BIO_free(source) }
            return PEM_read_bio_PrivateKey(source, nil, { _, _, _, _ in 0 }, nil)
        }
        guard let key = read else {
            throw failure("invalid key: Key must be a PEM encoded PKCS1 or PKCS8 key.")
        }
        defer { EVP_PKEY_free(key) }
        guard EVP_PKEY_get_base_id(key) == EVP_PKEY_EC, EVP_PKEY_get_bits(key) == 256 else {
            throw failure("key is not a valid ECDSA private key")
        }
        guard let context = EVP_MD_CTX_new() else { throw failure("no memory") }
        defer { EVP_MD_CTX_free(context) }
        var size = 0
        guard EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1,
            EVP_DigestSign(context, nil, &size, bytes, bytes.count) == 1
        else { throw failure("the key does not sign") }
        var der = [UInt8](repeating: 0, count: size)
        guard EVP_DigestSign(context, &der, &size, bytes, bytes.count) == 1 else {
            throw failure("the key does not sign")
        }
        // The two numbers side by side, where OpenSSL wraps them.
        let parsed = der.withUnsafeBufferPointer { buffer in
            var start = buffer.baseAddress
            return d2i_ECDSA_SIG(nil, &start, size)
        }
        guard let parsed else { throw failure("the key does not sign") }
        defer { ECDSA_SIG_free(parsed) }
        var signature = [UInt8](repeating: 0, count: 64)
        let isWhole = signature.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return false }
            return BN_bn2binpad(ECDSA_SIG_get0_r(parsed), base, 32) == 32
                && BN_bn2binpad(ECDSA_SIG_get0_s(parsed), base + 32, 32) == 32
        }
        guard isWhole else { throw failure("the key does not sign") }
        return signature
    }
}

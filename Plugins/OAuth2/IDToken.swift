import COpenSSL
import PluginKit
import WebTokens

/// A token that says who somebody is (OpenID Connect, section 2). It comes over TLS from the provider itself, so that its
/// signature is checked only where the provider's keys are known.
struct IDToken {
    /// In seconds; clocks differ.
    private static let leeway: Double = 300
    /// In bytes.
    private static let longest = 1 << 16

    let claims: JSONObject
    private let header: JSONObject
    private let signedPart: [UInt8]
    private let signature: [UInt8]

    /// - Parameter answer: a token address's, with the token as `id_token`.
    /// - Throws: ``ProviderError`` when it has none, or one that is none.
    init(_ answer: JSONObject) throws {
        let bytes = Array((answer["id_token"]?.stringValue ?? "").utf8)
        guard !bytes.isEmpty else { throw ProviderError("its answer has no id_token") }
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard bytes.count <= Self.longest, parts.count == 3, let header = Self.object(parts[0]),
            let claims = Self.object(parts[1]), let signature = Base64URL.decode(parts[2])
        else { throw ProviderError("its id_token is none") }
        self.header = header
        self.claims = claims
        self.signature = signature
        signedPart = Array(bytes[..<parts[1].endIndex])
    }

    private static func object(_ part: ArraySlice<UInt8>) -> JSONObject? {
        Base64URL.decode(part).flatMap { try? JSONParser.parse($0) }?.objectValue
    }

    /// Checks the claims that have to hold.
    ///
    /// - Parameters:
    ///   - audience: whom it has to be for; empty for anybody.
    ///   - issuers: who may have made it; empty for anybody.
    func check(audience: String = "", issuers: [String] = [], mustExpire: Bool = false) throws {
        let now = Double(DateTime.now().seconds)
        func moment(_ name: String) throws -> Double? {
            switch claims[name] {
            case nil, .null: return nil
            case .number(let number): return number
            default: throw ProviderError("the \(name) of its id_token is no number")
            }
        }
        let end = try moment("exp")
        if mustExpire, end == nil { throw ProviderError("its id_token has no end") }
        if let end, now > end + Self.leeway { throw ProviderError("its id_token has expired") }
        if let start = try moment("nbf"), now < start - Self.leeway {
            throw ProviderError("its id_token is not valid yet")
        }
        if let made = try moment("iat"), now < made - Self.leeway {
            throw ProviderError("its id_token was made in the future")
        }
        if !audience.isEmpty {
            let audiences = claims["aud"]?.arrayValue?.compactMap(\.stringValue) ?? [claims["aud"]?.stringValue ?? ""]
            guard audiences.contains(audience) else { throw ProviderError("its id_token is for somebody else") }
        }
        guard issuers.isEmpty || issuers.contains(claims["iss"]?.stringValue ?? "") else {
            throw ProviderError("its id_token was made by somebody else")
        }
    }

    /// - Parameter keys: fetches those of a JSON Web Key Set (RFC 7517).
    /// - Throws: ``ProviderError`` when none of them signed the token.
    func checkSignature(keys: () throws -> [JSON]) throws {
        let id = header["kid"]?.stringValue ?? ""
        guard !id.isEmpty else { throw ProviderError("its id_token does not name its key") }
        let key = try keys().first { $0["kid"]?.stringValue == id && !($0["alg"]?.stringValue ?? "").isEmpty }
        guard let key else { throw ProviderError("the key of its id_token is not among the provider's") }
        // The key says how it signs, never the token.
        guard let algorithm = key["alg"]?.stringValue, header["alg"]?.stringValue == algorithm,
            let publicKey = PublicKey(key), publicKey.verifies(signature, of: signedPart, algorithm: algorithm)
        else { throw ProviderError("the signature of its id_token is not the provider's") }
    }
}

/// A public key of a JSON Web Key: RSA or Ed25519 (RFC 7518, RFC 8037).
private struct PublicKey: ~Copyable {
    private let key: OpaquePointer
    private let isEdwards: Bool

    init?(_ json: JSON) {
        func bytes(_ name: String) -> [UInt8]? {
            let text = Array((json[name]?.stringValue ?? "").utf8.filter { $0 != UInt8(ascii: "=") })
            return text.isEmpty ? nil : Base64URL.decode(text[...])
        }
        switch json["kty"]?.stringValue {
        case "RSA":
            guard let modulus = bytes("n"), let exponent = bytes("e"),
                let key = Self.decode(DER.rsaKey(modulus: modulus, exponent: exponent))
            else { return nil }
            self.key = key
            isEdwards = false
        case "OKP":
            guard json["crv"]?.stringValue == "Ed25519", let x = bytes("x"), x.count == 32,
                let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, x, x.count)
            else { return nil }
            self.key = key
            isEdwards = true
        default: return nil
        }
    }

    deinit { EVP_PKEY_free(key) }

    private static func decode(_ der: [UInt8]) -> OpaquePointer? {
        der.withUnsafeBufferPointer { buffer in
            var start = buffer.baseAddress
            return d2i_PUBKEY(nil, &start, buffer.count)
        }
    }

    func verifies(_ signature: [UInt8], of bytes: [UInt8], algorithm: String) -> Bool {
        let digest: OpaquePointer?
        switch algorithm.suffix(3) {
        case "256": digest = EVP_sha256()
        case "384": digest = EVP_sha384()
        case "512": digest = EVP_sha512()
        default: digest = nil
        }
        switch algorithm.prefix(2) {
        case "RS", "PS": if isEdwards || digest == nil || algorithm.utf8.count != 5 { return false }
        case "Ed": if !isEdwards || algorithm != "EdDSA" { return false }
        default: return false
        }
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        var parameters: OpaquePointer?
        guard EVP_DigestVerifyInit(context, &parameters, isEdwards ? nil : digest, nil, key) == 1 else { return false }
        if algorithm.hasPrefix("PS"), EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) != 1 {
            return false
        }
        return EVP_DigestVerify(context, signature, signature.count, bytes, bytes.count) == 1
    }
}

/// The little of DER (X.690) that a key needs.
private enum DER {
    /// A SubjectPublicKeyInfo with the numbers of an RSA key.
    static func rsaKey(modulus: [UInt8], exponent: [UInt8]) -> [UInt8] {
        // rsaEncryption, 1.2.840.113549.1.1.1, and NULL.
        let algorithm: [UInt8] = [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00]
        let numbers = wrap(0x30, integer(modulus) + integer(exponent))
        return wrap(0x30, wrap(0x30, algorithm) + wrap(0x03, [0] + numbers))
    }

    private static func integer(_ bytes: [UInt8]) -> [UInt8] {
        let significant = Array(bytes.drop { $0 == 0 })
        return wrap(0x02, (significant.first ?? 0x80) >= 0x80 ? [0] + significant : significant)
    }

    private static func wrap(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        var length: [UInt8] = []
        if content.count < 0x80 {
            length = [UInt8(content.count)]
        } else {
            var rest = content.count
            while rest > 0 {
                length.insert(UInt8(rest & 0xFF), at: 0)
                rest >>= 8
            }
            length.insert(0x80 | UInt8(length.count), at: 0)
        }
        return [tag] + length + content
    }
}

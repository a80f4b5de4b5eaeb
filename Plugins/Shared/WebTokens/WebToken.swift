import COpenSSL
package import JSON

/// A JSON Web Token signed with HMAC-SHA256. No other algorithm is known here, so that a token cannot choose one.
package struct WebToken {
    /// In bytes; what is longer is no token.
    package static let maxLength = 8192

    package let claims: JSONObject
    private let signedPart: ArraySlice<UInt8>
    private let signature: [UInt8]

    /// Takes a token apart. Its signature is not checked, so nothing of it is to be trusted.
    ///
    /// - Returns: nil for what is malformed, longer than ``maxLength`` or signed in another way.
    package init?(_ token: String) {
        guard token.utf8.count <= Self.maxLength else { return nil }
        let bytes = Array(token.utf8)
        let parts = bytes.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Self.object(parts[0]), header["alg"]?.stringValue == "HS256",
            let claims = Self.object(parts[1]), let signature = Base64URL.decode(parts[2])
        else { return nil }
        self.claims = claims
        self.signature = signature
        signedPart = bytes[..<parts[1].endIndex]
    }

    private static func object(_ part: ArraySlice<UInt8>) -> JSONObject? {
        guard let text = Base64URL.decode(part),
            let json = try? JSONParser.parse(text, options: .init(maxDepth: 32, rejectDuplicateKeys: false))
        else { return nil }
        return json.objectValue
    }

    /// Whether the token was signed with a key. Takes as long for a wrong signature as for a right one.
    package func isSigned(with key: String) -> Bool {
        guard !key.isEmpty else { return false }
        let expected = Self.mac(of: signedPart, key: key)
        guard expected.count == 32, signature.count == expected.count else { return false }
        return expected.withUnsafeBytes { left in
            signature.withUnsafeBytes { right in CRYPTO_memcmp(left.baseAddress, right.baseAddress, left.count) == 0 }
        }
    }

    /// Until when the token counts, by its times alone.
    ///
    /// - Parameter now: Unix seconds.
    /// - Returns: the second from which it no longer counts, `Int64.max` when it has no end; nil when it does not count
    ///   now or one of its times is no number.
    package func end(now: Int64) -> Int64? {
        guard let expires = time("exp"), let begins = time("nbf"), let issued = time("iat") else { return nil }
        if let begins = begins.value, now < begins { return nil }
        if let issued = issued.value, now < issued { return nil }
        guard let end = expires.value else { return .max }
        return now < end ? end : nil
    }

    /// A time among the claims, whole seconds: nil for what is no number; a value of nil when there is none, for which 0
    /// counts too.
    private func time(_ name: String) -> (value: Int64?, Void)? {
        guard let claim = claims[name] else { return (nil, ()) }
        guard let number = claim.numberValue else { return nil }
        if number == 0 { return (nil, ()) }
        guard abs(number) < 9e18 else { return nil }
        return (Int64(number), ())
    }

    // MARK: - Making tokens

    /// `{"alg":"HS256","typ":"JWT"}` and the dot behind it.
    private static let header = Array("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.".utf8)

    /// Signs claims.
    ///
    /// - Parameters:
    ///   - claims: one JSON object.
    ///   - key: must not be empty: anybody could sign with that.
    package static func sign(_ claims: UnsafeBufferPointer<UInt8>, key: String) -> String? {
        guard !key.isEmpty else { return nil }
        var token = header
        token.reserveCapacity(header.count + claims.count * 4 / 3 + 48)
        Base64URL.encode(claims, into: &token)
        let signature = mac(of: token[...], key: key)
        guard signature.count == 32 else { return nil }
        token.append(UInt8(ascii: "."))
        Base64URL.encode(signature, into: &token)
        return String(decoding: token, as: UTF8.self)
    }

    /// HMAC-SHA256; empty when OpenSSL refuses.
    private static func mac(of text: ArraySlice<UInt8>, key: String) -> [UInt8] {
        var key = key
        return key.withUTF8 { key in
            text.withUnsafeBufferPointer { text in
                [UInt8](unsafeUninitializedCapacity: 32) { out, count in
                    var length: UInt32 = 0
                    let made = HMAC(
                        EVP_sha256(), key.baseAddress, Int32(key.count), text.baseAddress, text.count, out.baseAddress,
                        &length)
                    count = made == nil ? 0 : Int(length)
                }
            }
        }
    }
}

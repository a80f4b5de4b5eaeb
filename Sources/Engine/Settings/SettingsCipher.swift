import COpenSSL

/// AES-GCM as PocketBase's `tools/security` has it: base64 of a nonce of 12 bytes, the ciphertext and a tag of 16.
enum SettingsCipher {
    private static let nonceSize = 12
    private static let tagSize = 16

    /// Whether a key has the length of an AES key: 32 bytes, or 16 or 24, which Go takes too.
    static func accepts(key: String) -> Bool { cipher(for: key) != nil }

    private static func cipher(for key: String) -> OpaquePointer? {
        switch key.utf8.count {
        case 16: EVP_aes_128_gcm()
        case 24: EVP_aes_192_gcm()
        case 32: EVP_aes_256_gcm()
        default: nil
        }
    }

    /// - Returns: nil for a key of the wrong length or when the system gives no random bytes.
    static func encrypt(_ plain: [UInt8], key: String) -> String? {
        var nonce = [UInt8](repeating: 0, count: nonceSize)
        guard RAND_bytes(&nonce, Int32(nonceSize)) == 1, let cipher = cipher(for: key),
            let length = Int32(exactly: plain.count), let context = EVP_CIPHER_CTX_new()
        else { return nil }
        defer { EVP_CIPHER_CTX_free(context) }
        var sealed = [UInt8](repeating: 0, count: plain.count)
        var tag = [UInt8](repeating: 0, count: tagSize)
        var written: Int32 = 0
        var rest: Int32 = 0
        guard EVP_EncryptInit_ex(context, cipher, nil, Array(key.utf8), nonce) == 1,
            EVP_EncryptUpdate(context, &sealed, &written, plain, length) == 1, written == length,
            // GCM gives nothing at the end; there must be room for a pointer all the same.
            EVP_EncryptFinal_ex(context, &tag, &rest) == 1, rest == 0,
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, Int32(tagSize), &tag) == 1
        else { return nil }
        return Base64.encode(nonce + sealed + tag)
    }

    /// - Returns: nil when the text is not what ``encrypt(_:key:)`` gives, or was made with another key.
    static func decrypt(_ text: String, key: String) -> [UInt8]? {
        guard let bytes = Base64.decode(text), bytes.count >= nonceSize + tagSize, let cipher = cipher(for: key),
            let context = EVP_CIPHER_CTX_new()
        else { return nil }
        defer { EVP_CIPHER_CTX_free(context) }
        let sealed = Array(bytes[nonceSize..<(bytes.count - tagSize)])
        guard let length = Int32(exactly: sealed.count) else { return nil }
        var tag = Array(bytes.suffix(tagSize))
        var plain = [UInt8](repeating: 0, count: sealed.count)
        var end = [UInt8](repeating: 0, count: tagSize)
        var written: Int32 = 0
        var rest: Int32 = 0
        guard EVP_DecryptInit_ex(context, cipher, nil, Array(key.utf8), Array(bytes[..<nonceSize])) == 1,
            EVP_DecryptUpdate(context, &plain, &written, sealed, length) == 1, written == length,
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, Int32(tagSize), &tag) == 1,
            EVP_DecryptFinal_ex(context, &end, &rest) == 1
        else { return nil }
        return plain
    }
}

/// Base64 with its padding (RFC 4648, section 4).
enum Base64 {
    static func encode(_ bytes: [UInt8]) -> String {
        var text = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
        let count = EVP_EncodeBlock(&text, bytes, Int32(clamping: bytes.count))
        return String(decoding: text.prefix(Int(count)), as: UTF8.self)
    }

    static func decode(_ text: String) -> [UInt8]? {
        // As Go does; line ends are no part of the text.
        let characters = text.utf8.filter { $0 != 0x0A && $0 != 0x0D }
        guard characters.count % 4 == 0 else { return nil }
        let padding = characters.suffix(2).count { $0 == UInt8(ascii: "=") }
        guard characters.dropLast(padding).allSatisfy({ $0 != UInt8(ascii: "=") }) else { return nil }
        var bytes = [UInt8](repeating: 0, count: characters.count / 4 * 3)
        let count = EVP_DecodeBlock(&bytes, characters, Int32(clamping: characters.count))
        // OpenSSL counts the zeros that padding stands for.
        guard count >= padding else { return nil }
        return Array(bytes.prefix(Int(count) - padding))
    }
}

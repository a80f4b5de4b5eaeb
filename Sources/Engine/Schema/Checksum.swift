/// CRC-32 (IEEE 802.3, as in zlib): PocketBase derives the ids of collections and fields from their names with it, so
/// that the same schema made twice has the same ids.
package enum Checksum {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
    }

    /// The checksum of a text's UTF-8 bytes, in decimal.
    package static func text(_ text: String) -> String {
        var value: UInt32 = 0xFFFF_FFFF
        for byte in text.utf8 { value = table[Int((value ^ UInt32(byte)) & 0xFF)] ^ value >> 8 }
        return String(value ^ 0xFFFF_FFFF)
    }
}

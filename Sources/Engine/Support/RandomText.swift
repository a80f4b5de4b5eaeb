import COpenSSL

/// Random text from OpenSSL's generator, which the system's secure source feeds.
package enum RandomText {
    package static let alphanumeric = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".utf8)
    package static let lowercase = Array("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
    package static let digits = Array("0123456789".utf8)

    /// - Parameters:
    ///   - length: characters.
    ///   - alphabet: ASCII characters to choose from, 256 at most, each as likely as another.
    package static func make(_ length: Int, from alphabet: [UInt8] = alphanumeric) -> String {
        // Bytes from here on would favour the first characters.
        let limit = 256 - 256 % alphabet.count
        return withUnsafeTemporaryAllocation(byteCount: 64, alignment: 8) { random in
            // One call gives enough for most texts.
            var next = random.count
            return String(unsafeUninitializedCapacity: length) { text in
                var count = 0
                while count < length {
                    if next == random.count {
                        fill(random)
                        next = 0
                    }
                    let byte = Int(random[next])
                    next += 1
                    guard byte < limit else { continue }
                    text[count] = alphabet[byte % alphabet.count]
                    count += 1
                }
                return length
            }
        }
    }

    private static func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        if RAND_bytes(buffer.bindMemory(to: UInt8.self).baseAddress, Int32(buffer.count)) == 1 { return }
        // OpenSSL could not be seeded; the kernel can always be asked.
        var generator = SystemRandomNumberGenerator()
        for index in buffer.indices { buffer[index] = UInt8.random(in: .min ... .max, using: &generator) }
    }
}

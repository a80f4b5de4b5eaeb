/// Random text from the system's secure source.
package enum RandomText {
    package static let alphanumeric = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".utf8)
    package static let lowercase = Array("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
    package static let digits = Array("0123456789".utf8)

    package static func make(_ length: Int, from alphabet: [UInt8] = alphanumeric) -> String {
        var generator = SystemRandomNumberGenerator()
        return String(unsafeUninitializedCapacity: length) { buffer in
            for index in 0..<length {
                buffer[index] = alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
            }
            return length
        }
    }
}

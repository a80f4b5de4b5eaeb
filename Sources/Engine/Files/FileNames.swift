/// The names under which uploads are stored, as PocketBase makes them: what the client called the file in lower-case
/// words, ten random characters, and its extension.
package enum FileNames {
    /// - Parameters:
    ///   - original: what the client says; never used as a path.
    ///   - detected: the extension that the content has, with its dot, for names without one.
    package static func stored(for original: String, detected: String) -> String {
        // The end of a name has the extension.
        var name = Array(original.utf8.suffix(300))[...]
        let end = extensionStart(name)
        var suffix = name[end...].filter(isAllowed)
        name = name[..<end]
        suffix = trimmingDots(suffix[...])
        if suffix.isEmpty {
            suffix = trimmingDots(Array(detected.utf8)[...])
        } else if suffix.count > 19 {
            suffix = trimmingDots(suffix.suffix(20))
        }
        var words = snakeCase(trimmingDots(name))
        if words.count < 3 {
            words += RandomText.make(10, from: RandomText.lowercase).utf8
        } else if words.count > 100 {
            words = Array(words.prefix(100))
        }
        let random = RandomText.make(10, from: RandomText.lowercase)
        let tail = suffix.isEmpty ? [] : [UInt8(ascii: ".")] + suffix
        return String(decoding: words + [UInt8(ascii: "_")] + Array(random.utf8) + tail, as: UTF8.self)
    }

    /// Where the extension begins, with its dot; two belong together (`.tar.gz`).
    private static func extensionStart(_ name: ArraySlice<UInt8>) -> Int {
        guard let last = name.lastIndex(of: UInt8(ascii: ".")) else { return name.endIndex }
        return name[..<last].lastIndex(of: UInt8(ascii: ".")) ?? last
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    /// What an extension may have.
    private static func isAllowed(_ byte: UInt8) -> Bool { isWord(byte) || "_.*-+=#".utf8.contains(byte) }

    private static func trimmingDots(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        let dot = UInt8(ascii: ".")
        return Array(bytes.drop { $0 == dot }.reversed().drop { $0 == dot }.reversed())
    }

    /// `MyFile (1)` as `my_file_1`.
    private static func snakeCase(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        for word in bytes.split(whereSeparator: { !isWord($0) }) {
            if !result.isEmpty { result.append(UInt8(ascii: "_")) }
            var before: UInt8 = 0
            for (index, byte) in word.enumerated() {
                let isUpper = (0x41...0x5A).contains(byte)
                if isUpper, index > 0, !(0x41...0x5A).contains(before) { result.append(UInt8(ascii: "_")) }
                result.append(isUpper ? byte | 0x20 : byte)
                before = byte
            }
        }
        return result
    }
}

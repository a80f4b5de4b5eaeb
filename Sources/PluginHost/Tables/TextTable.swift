internal import CRE2
internal import PluginABI

/// "roost.text/1": RE2 and random text.
enum TextTable {
    static func make() -> roost_text_v1 {
        roost_text_v1(
            compile_pattern: { call, pattern, out in
                guard let out else { return ROOST_EINVALID }
                out.pointee = nil
                switch PatternFault.compile(pattern) {
                case .success(let compiled):
                    out.pointee = compiled
                    return ROOST_OK
                case .failure(let error):
                    withBytes("validation_invalid_pattern") { code in
                        withBytes(error.message) { PluginCall.from(call)?.fail(status: 0, code: code, message: $0) }
                    }
                    return ROOST_EFAILED
                }
            },
            release_pattern: { pattern in
                if let pattern { cre2_release(pattern) }
            },
            matches: { pattern, text in
                guard let pattern, let bytes = text.buffer else { return 0 }
                if bytes.isEmpty { return cre2_matches(pattern, "", 0) == 1 ? 1 : 0 }
                return cre2_matches(pattern, bytes.baseAddress, bytes.count) == 1 ? 1 : 0
            },
            random_from_pattern: { call, pattern, out in
                guard let call = PluginCall.from(call), let out else { return ROOST_EINVALID }
                out.pointee = roost_bytes()
                guard let pattern = pattern.text else { return ROOST_EINVALID }
                do {
                    let text = try RandomPattern(pattern).generate()
                    guard let bytes = call.copy(text) else { return ROOST_ENOMEM }
                    out.pointee = bytes
                    return ROOST_OK
                } catch {
                    withBytes("validation_invalid_pattern") { code in
                        withBytes((error as? PatternError)?.message ?? "\(error)") {
                            call.fail(status: 0, code: code, message: $0)
                        }
                    }
                    return ROOST_EFAILED
                }
            },
            random_bytes: { out, length in
                guard let out else { return }
                // The system generator is getrandom(2) here.
                var generator = SystemRandomNumberGenerator()
                let buffer = UnsafeMutableRawBufferPointer(start: out, count: Int(clamping: length))
                for start in stride(from: 0, to: buffer.count, by: 8) {
                    withUnsafeBytes(of: generator.next()) { random in
                        let end = min(start + 8, buffer.count)
                        UnsafeMutableRawBufferPointer(rebasing: buffer[start..<end]).copyMemory(
                            from: UnsafeRawBufferPointer(rebasing: random[..<(end - start)]))
                    }
                }
            },
            pattern_fault: { call, pattern, out in
                guard let call = PluginCall.from(call), let out else { return ROOST_EINVALID }
                out.pointee = roost_bytes()
                guard let fault = PatternFault.find(pattern) else { return ROOST_ENOTFOUND }
                guard let bytes = call.copy(fault) else { return ROOST_ENOMEM }
                out.pointee = bytes
                return ROOST_OK
            })
    }
}

/// Compiling patterns, and why one is none.
enum PatternFault {
    /// RE2's compiled pattern, or its message.
    static func compile(_ pattern: roost_bytes) -> Result<OpaquePointer, PatternError> {
        guard let bytes = pattern.buffer else { return .failure(PatternError(message: "invalid UTF-8")) }
        var error = [CChar](repeating: 0, count: 512)
        // A null pointer is no empty text for RE2.
        let compiled =
            bytes.isEmpty
            ? cre2_compile("", 0, &error, error.count)
            : cre2_compile(bytes.baseAddress, bytes.count, &error, error.count)
        if let compiled { return .success(compiled) }
        let message = error.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return .failure(PatternError(message: String(decoding: message, as: UTF8.self)))
    }

    /// Why a text is no pattern, in the words of Go's regexp package, which PocketBase shows; nil when it is one.
    static func find(_ pattern: roost_bytes) -> String? {
        switch compile(pattern) {
        case .success(let compiled):
            cre2_release(compiled)
            return nil
        case .failure(let error):
            // Both packages are by the same hand; only some of the words differ.
            for (ours, theirs) in words where error.message.hasPrefix(ours) {
                let rest = error.message.dropFirst(ours.count)
                let argument = rest.hasPrefix(": ") ? String(rest.dropFirst(2)) : ""
                return "error parsing regexp: \(theirs): `\(argument)`"
            }
            return "error parsing regexp: \(error.message)"
        }
    }

    /// RE2's words (re2/regexp.cc) and Go's (regexp/syntax/parse.go).
    private static let words = [
        ("missing ]", "missing closing ]"), ("missing )", "missing closing )"), ("unexpected )", "unexpected )"),
        ("trailing \\", "trailing backslash at end of expression"),
        ("no argument for repetition operator", "missing argument to repetition operator"),
        ("invalid repetition size", "invalid repeat count"),
        ("bad repetition operator", "invalid nested repetition operator"),
        ("invalid perl operator", "invalid or unsupported Perl syntax"),
        ("invalid named capture group", "invalid named capture"),
        ("invalid escape sequence", "invalid escape sequence"),
        ("invalid character class range", "invalid character class range"),
        ("invalid character class", "invalid character class"), ("invalid UTF-8", "invalid UTF-8"),
    ]
}

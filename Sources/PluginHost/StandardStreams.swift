internal import Glibc

/// Standard output and error, a whole line at a time.
enum StandardStreams {
    static let print: @Sendable (String, Bool) -> Void = { line, isError in
        var bytes = Array(line.utf8)
        bytes.append(0x0A)
        let descriptor: Int32 = isError ? 2 : 1
        bytes.withUnsafeBytes { buffer in
            var offset = 0
            while offset < buffer.count {
                let count = write(descriptor, buffer.baseAddress?.advanced(by: offset), buffer.count - offset)
                if count < 0, errno == EINTR { continue }
                if count <= 0 { return }
                offset += count
            }
        }
    }
}

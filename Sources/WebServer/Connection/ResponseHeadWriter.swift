import NIOCore

/// Serialises the head of an answer into a buffer, in one go.
struct ResponseHeadWriter {
    enum Framing {
        case length(Int)
        case chunked
        /// No body and no Content-Length: 1xx, 204, 304, or up to the end of the connection.
        case none
    }

    var status: UInt16
    var isHTTP10: Bool
    var closes: Bool
    var framing: Framing
    /// A Content-Length or Transfer-Encoding from the handler is left out, because the framing is ours.
    var headers: [(String, String)]
    var fixed: FixedHeaders?
    var extra: [(String, String)]
    var date: [UInt8]

    /// - Parameter additional: bytes of body that will be written behind the head.
    func write(into buffer: inout ByteBuffer, reserving additional: Int) {
        let line = StatusText.line(status, http10: isHTTP10)
        var bound = line.count + (fixed?.bytes.count ?? 0) + date.count + 96
        for (name, value) in headers { bound += name.utf8.count + value.utf8.count + 4 }
        for (name, value) in extra { bound += name.utf8.count + value.utf8.count + 4 }
        buffer.reserveCapacity(minimumWritableBytes: bound + additional)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: bound) { space in
            var output = Output(space: space)
            output.write(line)
            writeFields(&output)
            return output.count
        }
    }

    private func writeFields(_ output: inout Output) {
        var hasDate = false
        if let fixed {
            if headers.contains(where: { header in fixed.pairs.contains { replaces(header.0, $0.0) } }) {
                for (name, value) in fixed.pairs where !isReplaced(name) { output.write(name, value) }
            } else {
                output.write(fixed.bytes)
            }
        }
        for (name, value) in extra where !isReplaced(name) { output.write(name, value) }
        for (name, value) in headers {
            switch name.utf8.count {
            case 4 where ASCII.equal(name, "date"): hasDate = true
            case 10 where ASCII.equal(name, "connection") && !(status == 101): continue
            case 14 where ASCII.equal(name, "content-length"): continue
            case 17 where ASCII.equal(name, "transfer-encoding"): continue
            default: break
            }
            output.write(name, value)
        }
        if !hasDate { output.write(date) }
        switch framing {
        case .length(let length):
            output.write("Content-Length: ")
            output.write(decimal: length)
            output.write("\r\n")
        case .chunked:
            output.write("Transfer-Encoding: chunked\r\n")
        case .none:
            break
        }
        if closes {
            if status != 101 { output.write("Connection: close\r\n") }
        } else if isHTTP10 {
            output.write("Connection: keep-alive\r\n")
        }
        output.write("\r\n")
    }

    private func isReplaced(_ name: String) -> Bool {
        headers.contains { replaces($0.0, name) }
    }

    /// Whether a header of the response takes the place of one set before. `Vary` and `Set-Cookie` add up.
    private func replaces(_ name: String, _ earlier: String) -> Bool {
        ASCII.equal(name, earlier) && !ASCII.equal(name, "vary") && !ASCII.equal(name, "set-cookie")
    }

    private struct Output {
        let space: UnsafeMutableRawBufferPointer
        var count = 0

        mutating func write(_ bytes: [UInt8]) {
            bytes.withUnsafeBytes { append($0) }
        }

        mutating func write(_ text: StaticString) {
            append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
        }

        mutating func write(_ name: String, _ value: String) {
            write(clean: name)
            write(": ")
            write(clean: value)
            write("\r\n")
        }

        mutating func write(decimal value: Int) {
            var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
            withUnsafeMutableBytes(of: &digits) { room in
                var index = room.count
                var rest = value
                repeat {
                    index -= 1
                    room[index] = UInt8(ascii: "0") + UInt8(rest % 10)
                    rest /= 10
                } while rest > 0
                append(UnsafeRawBufferPointer(rebasing: room[index...]))
            }
        }

        /// A line break in a value would start a header of its own; Go's server puts a space in its place as well.
        private mutating func write(clean text: String) {
            var text = text
            let start = count
            text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
            for index in start..<count where space[index] == 13 || space[index] == 10 || space[index] == 0 {
                space[index] = 0x20
            }
        }

        private mutating func append(_ bytes: UnsafeRawBufferPointer) {
            // Checked, though the bound was computed from the same values.
            UnsafeMutableRawBufferPointer(rebasing: space[count...]).copyMemory(from: bytes)
            count += bytes.count
        }
    }
}

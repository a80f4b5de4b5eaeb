package import NIOCore

/// A whole `multipart/form-data` body.
package enum MultipartForm {
    /// One part; `bytes` shares the memory of the body.
    package struct Part: Hashable, Sendable {
        package let name: String
        /// Set when the part is a file.
        package let filename: String?
        package let contentType: String?
        package let bytes: ByteBuffer
    }

    /// The parts of `body`, in the order sent.
    ///
    /// - Throws: `MultipartError` when the body is cut short, is not multipart, or goes over `limits`.
    package static func parse(
        _ body: ByteBuffer, boundary: String, limits: MultipartParser.Limits = MultipartParser.Limits()
    ) throws(MultipartError) -> [Part] {
        var parser = try MultipartParser(boundary: boundary, limits: limits)
        parser.push(body)
        var parts: [Part] = []
        var head = MultipartPartHead()
        var bytes = ByteBuffer()
        while let event = try parser.next() {
            switch event {
            case .partBegin(let begun):
                head = begun
                bytes = ByteBuffer()
            case .partData(let piece):
                if bytes.readableBytes == 0 {
                    bytes = piece
                } else {
                    bytes.writeImmutableBuffer(piece)
                }
            case .partEnd:
                parts.append(
                    Part(name: head.name, filename: head.filename, contentType: head.contentType, bytes: bytes)
                )
            case .end:
                break
            }
        }
        try parser.finish()
        return parts
    }

    /// The boundary that a `Content-Type` names, when it is `multipart/form-data`; nil otherwise.
    package static func boundary(ofContentType text: String) -> String? {
        let type = HeaderParameters(text)
        guard type.value == "multipart/form-data" else { return nil }
        return type["boundary"]
    }
}

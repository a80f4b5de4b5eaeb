package import NIOCore

/// What fills a streamed body: called once, on the event loop, when the head is on its way.
package typealias ResponseStreamProducer = @Sendable (ResponseStream) -> Void

/// The body of an answer.
package enum ResponseBody: Sendable {
    case none
    case bytes([UInt8])
    case buffer(ByteBuffer)
    /// Sent as it is produced: chunked, unless the headers bring a `Content-Length`.
    case stream(ResponseStreamProducer)
    /// A part of a file, sent by the kernel without passing through memory. `length` must lie inside the file.
    case file(path: String, offset: Int, length: Int)
}

/// An answer. The server adds `Date`, `Content-Length` and `Connection`.
package struct Response: Sendable {
    package var status: UInt16
    package var headers: [(String, String)]
    package var body: ResponseBody

    package init(status: UInt16 = 200, headers: [(String, String)] = [], body: ResponseBody = .none) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The first header called `name`, compared without case.
    package func header(_ name: String) -> String? {
        headers.first { ASCII.equal($0.0, name) }?.1
    }
}

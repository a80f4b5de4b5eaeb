/// Headers that are the same in many answers, serialised once: sending them costs one copy.
package final class FixedHeaders: Sendable {
    package let pairs: [(String, String)]
    let bytes: [UInt8]

    package init(_ pairs: [(String, String)]) {
        self.pairs = pairs
        var bytes: [UInt8] = []
        for (name, value) in pairs {
            bytes += name.utf8
            bytes += ": ".utf8
            // A line break in a value would start a header of its own.
            bytes += value.utf8.map { $0 == 13 || $0 == 10 || $0 == 0 ? UInt8(ascii: " ") : $0 }
            bytes += "\r\n".utf8
        }
        self.bytes = bytes
    }

    /// A middleware that sends `headers` with every answer of the routes it is on.
    package var middleware: Middleware {
        { request, responder, next in
            request.use(self)
            next(request, responder)
        }
    }
}

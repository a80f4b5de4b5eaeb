/// Why the server itself, not a handler, has to refuse or give up on a request.
package struct HTTPFailure: Error, Hashable, Sendable {
    package enum Reason: Hashable, Sendable {
        case malformedRequest
        case invalidHeaderName
        case missingHost
        case unsupportedVersion
        case unsupportedTransferEncoding
        case headersTooLarge
        case bodyTooLarge
        case bodyTimeout
        /// The client cut the connection while its body was on the way. Nobody is left to read an answer.
        case bodyTruncated
        case expectationFailed
        case fileUnavailable
        /// The handler dropped its `Responder` without answering.
        case unanswered
    }

    package let status: UInt16
    package let reason: Reason

    package static let malformedRequest = HTTPFailure(status: 400, reason: .malformedRequest)
    package static let invalidHeaderName = HTTPFailure(status: 400, reason: .invalidHeaderName)
    package static let missingHost = HTTPFailure(status: 400, reason: .missingHost)
    package static let unsupportedVersion = HTTPFailure(status: 505, reason: .unsupportedVersion)
    package static let unsupportedTransferEncoding = HTTPFailure(status: 501, reason: .unsupportedTransferEncoding)
    package static let headersTooLarge = HTTPFailure(status: 431, reason: .headersTooLarge)
    package static let bodyTooLarge = HTTPFailure(status: 413, reason: .bodyTooLarge)
    package static let bodyTimeout = HTTPFailure(status: 408, reason: .bodyTimeout)
    package static let bodyTruncated = HTTPFailure(status: 400, reason: .bodyTruncated)
    package static let expectationFailed = HTTPFailure(status: 417, reason: .expectationFailed)
    package static let fileUnavailable = HTTPFailure(status: 404, reason: .fileUnavailable)
    package static let unanswered = HTTPFailure(status: 500, reason: .unanswered)

    /// The text Go's server gives for the same fault, which some clients log.
    package var text: String {
        switch reason {
        case .invalidHeaderName: return "400 Bad Request: invalid header name"
        case .missingHost: return "400 Bad Request: missing required Host header"
        case .unsupportedVersion: return "505 HTTP Version Not Supported: unsupported protocol version"
        case .unsupportedTransferEncoding: return "Unsupported transfer encoding"
        case .expectationFailed: return ""
        default: return "\(status) \(StatusText.of(status))"
        }
    }

    /// The plain-text answer that is used when the configuration does not bring its own.
    package static let plainText: @Sendable (HTTPFailure, Request?) -> Response = { failure, _ in
        Response(
            status: failure.status,
            headers: [("Content-Type", "text/plain; charset=utf-8")],
            body: .bytes(Array(failure.text.utf8))
        )
    }
}

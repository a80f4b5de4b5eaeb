package import NIOCore

/// Settings of a `WebServer`. Times are in milliseconds.
package struct WebServerConfiguration: Sendable {
    /// An address or a name; empty for every address of the machine.
    package var host = "127.0.0.1"
    /// 0 takes a free one.
    package var port = 0
    /// Event loops, one thread each; 0 for one per core.
    package var loops = 0
    /// Called once on each event loop's thread before it serves.
    package var prepareLoop: (@Sendable () -> Void)?
    /// How long a client may take to send a request's head.
    package var readHeaderTimeout = 30_000
    /// How long a connection may rest between requests.
    package var idleTimeout = 180_000
    /// How long a client may pause while it sends a body or fails to read an answer.
    package var transferTimeout = 60_000
    package var maxHeaderBytes = 1 << 20
    package var maxHeaderCount = 1000
    /// Connections at one time; 0 for as many as the file descriptor limit leaves room for.
    package var maxConnections = 0
    /// How many bytes of a body that nobody reads are taken in to keep a connection usable.
    package var maxDrainedBytes = 256 * 1024
    /// Makes the answer when the server itself refuses a request. The request is nil when its head was not understood.
    package var errorResponse: @Sendable (HTTPFailure, Request?) -> Response = HTTPFailure.plainText
    /// Called on the event loop when an answer has been written: request, status, body bytes, duration in nanoseconds.
    package var onResponse: (@Sendable (Request, UInt16, Int, UInt64) -> Void)?
    /// Adds handlers in front of the HTTP handler: see `use(_: TLSCertificate)`. With them, bytes reach the socket through
    /// these alone; files are read rather than sent by the kernel.
    package var configureChannel: (@Sendable (any Channel) throws -> Void)?
    /// What `Request.isSecure` says.
    package var isSecure = false

    package init() {}
}

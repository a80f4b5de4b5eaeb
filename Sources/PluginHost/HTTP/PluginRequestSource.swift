package import Engine
package import JSON
package import WebServer

/// A request as the API hands it to plugins. Reading from any thread while the request lives.
package protocol PluginRequestSource: AnyObject, Sendable {
    var method: String { get }
    /// The path as it was matched, without the query.
    var path: String { get }
    /// A `{name}` of the route's path.
    func parameter(_ name: String) -> String?
    /// The last value of a query parameter.
    func query(_ name: String) -> String?
    /// The first value of a header, by its name in any case.
    func header(_ name: String) -> String?
    /// The whole body.
    var body: [UInt8] { get }
    /// The body as a JSON object, whether it came as JSON, as a form or as multipart.
    func bodyObject() throws -> JSONObject
    /// The client's address, honouring the trusted proxy settings.
    var remoteIP: String { get }
    /// The signed-in record.
    var auth: Record? { get }
    /// Whether an answer would still reach the client.
    var isOpen: Bool { get }
    /// Adds a header to the coming answer.
    func addHeader(_ name: String, _ value: String)
    /// The answer with a stored file, to be given by calling what is returned, once at most; nil when there is none.
    func file(_ key: String, name: String, isDownload: Bool) -> (() -> Void)?
    /// Answers with a body that goes on; nil when that is not possible any more.
    func live(status: Int, contentType: String, options: LiveOptions) -> LiveStream?
    /// Whether the request is a WebSocket handshake.
    var isHandshake: Bool { get }
    func webSocket(subprotocol: String, options: LiveOptions) -> LiveStream?
    /// The same with a thumb of an image, or the image itself where there is none.
    func thumb(_ key: String, name: String, size: String, isDownload: Bool) -> (() -> Void)?
    /// Answers; called once at most, from any thread.
    func respond(status: Int, contentType: String, body: [UInt8])
    /// Answers with PocketBase's error form; called once at most, from any thread.
    func respond(_ error: ServiceError)
}

extension PluginRequestSource {
    package func live(status: Int, contentType: String, options: LiveOptions) -> LiveStream? { nil }
    package var isHandshake: Bool { false }
    package func webSocket(subprotocol: String, options: LiveOptions) -> LiveStream? { nil }
    package func thumb(_ key: String, name: String, size: String, isDownload: Bool) -> (() -> Void)? {
        file(key, name: name, isDownload: isDownload)
    }
}

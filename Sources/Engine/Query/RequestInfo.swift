/// What `@request.…` in rules and filters may see of a request. A value of one request; read-only once rules run.
package struct RequestInfo: Sendable {
    /// `default`, `expand`, `realtime`, `protectedFile`, `batch`, `oauth2`, `otp`, `password`.
    package var context: String
    package var method: String
    /// The last value of each query parameter.
    package var query: [String: String]
    /// Header names in lower case with `_` for `-`, the first value of each.
    package var headers: [String: String]
    /// The body's keys in order, normalised by the collection's fields where they have one.
    package var body: [(key: String, value: Value)]
    /// The signed-in record, if any.
    package var auth: Record?

    package init(
        context: String = "default", method: String = "GET", query: [String: String] = [:],
        headers: [String: String] = [:], body: [(key: String, value: Value)] = [], auth: Record? = nil
    ) {
        self.context = context
        self.method = method
        self.query = query
        self.headers = headers
        self.body = body
        self.auth = auth
    }

    package var isSuperuser: Bool { auth?.collection.isSuperusers ?? false }
}

/// A file that came with a request and lies in a temporary place.
package struct UploadedFile: Sendable {
    /// The key of the form that it came under, e.g. `photos+`.
    package var key: String
    /// What the client calls it.
    package var originalName: String
    /// As it will be stored.
    package var name: String
    /// In bytes, also of what was not kept because it is too large.
    package var size: Int
    /// Its MIME type as its content shows it.
    package var type: String
    package var temporaryPath: String

    package init(
        key: String, originalName: String, name: String, size: Int, type: String, temporaryPath: String
    ) {
        self.key = key
        self.originalName = originalName
        self.name = name
        self.size = size
        self.type = type
        self.temporaryPath = temporaryPath
    }
}

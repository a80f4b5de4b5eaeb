import Engine
import Synchronization
import WebServer

extension Exchange {
    static let uploadsRefused = ServiceError.badRequest(
        "Files cannot be uploaded: no plugin that stores files is installed.")

    /// Takes a multipart body in and goes on with the form; answers itself when it cannot be taken.
    ///
    /// - Parameters:
    ///   - limit: the largest size in bytes of a file under a key.
    ///   - then: gets the form on a worker thread.
    /// - Throws: 400 when the content type names no boundary.
    func receive(
        _ stream: BodyStream, limit: @escaping @Sendable (_ key: String) -> Int,
        then: @escaping @Sendable (UploadReceiver.Form) -> Void
    ) throws {
        let exchange = self
        let isServing = engine.files.acceptsUploads
        let workers = engine.workers
        let receiver = try UploadReceiver(
            request, stream, uploads: engine.files.begin(), run: { workers.run($0) },
            limit: { isServing ? limit($0) : 0 }
        ) { (result: Result<UploadReceiver.Form, ServiceError>) in
            switch result {
            case .success(let form):
                guard isServing || form.uploads.isEmpty else { return exchange.fail(Self.uploadsRefused) }
                then(form)
            case .failure(let error):
                guard !exchange.request.isClosed else { return }
                exchange.fail(error)
            }
        }
        receiver.start()
    }
}

enum UploadLimits {
    /// The most bytes that a file under a key may have, for the field that the key means. A key that means none is
    /// taken in up to the body's own limit, and then let go of.
    static func of(_ key: String, in collection: Collection) -> Int {
        guard let (index, _) = RecordBody.target(of: key, in: collection) else { return 0 }
        let shape = collection.fields[index].shape
        return shape.isFile ? shape.maxBodySize : 0
    }
}

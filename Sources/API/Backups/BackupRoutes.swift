import Engine
import JSON
package import WebServer

/// `/api/backups`: making, keeping and restoring backups.
package struct BackupRoutes: Sendable {
    let services: Services
    /// Starts the server anew, which puts a restored backup in place; nil where nobody can.
    let restart: (@Sendable () -> Void)?

    package init(services: Services, restart: (@Sendable () -> Void)?) {
        self.services = services
        self.restart = restart
    }

    package func mount(on router: Router) {
        let none = RouteOptions(body: .discard)
        router.add(.get, "/api/backups", options: none, handler: services.superuserHandler(list))
        router.add(.post, "/api/backups", handler: services.superuserHandler(create))
        router.add(
            .post, "/api/backups/upload", options: RouteOptions(body: .stream(maxBytes: .max)),
            handler: services.superuserHandler(upload))
        // Downloads ask for a token of their own, which a browser can send in a link.
        router.add(.get, "/api/backups/{key}", options: none, handler: services.handler(download))
        router.add(.delete, "/api/backups/{key}", options: none, handler: services.superuserHandler(delete))
        router.add(.post, "/api/backups/{key}/restore", options: none, handler: services.superuserHandler(restore))
    }

    private static let busy = ServiceError.badRequest(
        "Try again later - another backup/restore process has already been started")

    // MARK: - Keeping

    /// Runs a body on a thread that may wait for where the backups are kept.
    private func waiting(_ exchange: Exchange, _ body: @escaping @Sendable () -> Void) {
        guard exchange.engine.backups.storage.isElsewhere else { return exchange.work(body) }
        if !exchange.engine.files.transfers.run(body) {
            exchange.fail(ServiceError.overloaded)
        }
    }

    private func list(_ exchange: Exchange) {
        waiting(exchange) {
            do {
                exchange.json(
                    .array(
                        try exchange.engine.backups.list().map { backup in
                            let milliseconds = backup.modifiedMilliseconds
                            let modified = Timestamp.format(
                                seconds: Int64(milliseconds / 1000), milliseconds: milliseconds % 1000)
                            return [
                                "modified": .string(modified), "key": .string(backup.key),
                                "size": .number(Double(backup.size)),
                            ]
                        }))
            } catch {
                exchange.fail(ServiceError.badRequest("Failed to retrieve backup items. Raw error: \n\(error)"))
            }
        }
    }

    private func download(_ exchange: Exchange) {
        waiting(exchange) {
            let refusal = ServiceError.forbidden("Insufficient permissions to access the resource.")
            guard FileTokens.superuser(of: exchange.query("token"), exchange.engine) != nil else {
                return exchange.fail(refusal)
            }
            let allowed = exchange.engine.settings.snapshot.superuserIPs
            guard allowed.isEmpty || allowed.contains(services.realIP(exchange.request)) else {
                return exchange.fail(refusal)
            }
            let key = exchange.parameter("key")
            let storage = exchange.engine.backups.storage
            guard BackupName.isPlain(key) else { return exchange.fail(ServiceError.notFound()) }
            if storage.isElsewhere {
                return RemoteDownload(exchange, storage, key: key, name: key, isDownload: false).start()
            }
            guard let file = try? storage.information(key), let path = file.path else {
                return exchange.fail(ServiceError.notFound())
            }
            FileResponder.answer(exchange, file, from: .local(path: path), name: key, isDownload: false)
        }
    }

    private func delete(_ exchange: Exchange) {
        let key = exchange.parameter("key")
        waiting(exchange) {
            let backups = exchange.engine.backups
            if !key.isEmpty, backups.active == key {
                return exchange.fail(
                    ServiceError.badRequest("The backup is currently being used and cannot be deleted."))
            }
            do {
                guard try backups.information(key) != nil else { throw BackupRefusal.missing }
                try backups.remove(key)
                exchange.noContent()
            } catch {
                exchange.fail(
                    ServiceError.badRequest("Invalid or already deleted backup file. Raw error: \n\(error)"))
            }
        }
    }

    private enum BackupRefusal: Error, CustomStringConvertible {
        case missing
        var description: String { "no such file" }
    }

    // MARK: - Making

    private func create(_ exchange: Exchange) {
        let backups = exchange.engine.backups
        guard backups.active == nil else { return exchange.fail(Self.busy) }
        let name: String
        do {
            let failure = ServiceError.badRequest("An error occurred while loading the submitted data.")
            let body = try BodyReader.object(exchange.request, failure)
            switch body["name"] {
            case nil, .null?: name = ""
            case .string(let text)?: name = text
            default: throw failure
            }
        } catch { return exchange.fail(error) }
        // A backup takes long, and the workers are for what does not.
        exchange.onThread {
            if let failure = BackupName.failure(name) ?? nameFailure(name, backups, Self.taken) {
                return exchange.fail(
                    ServiceError.validation(
                        "An error occurred while validating the submitted data.", ["name": failure]))
            }
            do {
                try backups.create(name)
                exchange.noContent()
            } catch let error as BackupError where error == .busy {
                // Another one began since we looked.
                exchange.fail(Self.busy)
            } catch {
                // Not the client's doing: what it sent was checked before.
                exchange.fail(error, ServiceError(status: 500, message: "Failed to create backup."))
            }
        }
    }

    private static let taken = "The backup file name is invalid or already exists."

    private func nameFailure(_ name: String, _ backups: BackupService, _ message: String) -> FieldFailure? {
        guard !name.isEmpty, !BackupName.isPlain(name) || Self.exists(name, backups) else { return nil }
        return FieldFailure("validation_backup_name_exists", message)
    }

    /// A storage that does not answer may have it.
    private static func exists(_ name: String, _ backups: BackupService) -> Bool {
        do { return try backups.information(name) != nil } catch { return true }
    }

    private func upload(_ exchange: Exchange) {
        let missing = ServiceError.validation(
            "An error occurred while validating the submitted data.", ["file": .required])
        let type = exchange.request.headers.first("Content-Type") ?? ""
        guard let stream = exchange.request.bodyStream, type.lowercased().hasPrefix("multipart/form-data") else {
            return exchange.fail(missing)
        }
        do {
            let workers = exchange.engine.workers
            let receiver = try UploadReceiver(
                exchange.request, stream, uploads: exchange.engine.files.begin(), run: { workers.run($0) },
                limit: { $0 == "file" ? .max : 0 }
            ) { result in
                switch result {
                case .success(let form):
                    guard let file = form.uploads.files.first(where: { $0.key == "file" }) else {
                        return exchange.fail(missing)
                    }
                    waiting(exchange) { keep(file, of: form, exchange) }
                case .failure(let error):
                    if !exchange.request.isClosed { exchange.fail(error) }
                }
            }
            receiver.start()
        } catch { exchange.fail(missing) }
    }

    private func keep(_ file: UploadedFile, of form: UploadReceiver.Form, _ exchange: Exchange) {
        let backups = exchange.engine.backups
        var failure = nameFailure(
            file.originalName, backups, "Backup file with the specified name already exists.")
        if file.type.prefix(while: { $0 != ";" }) != "application/zip" {
            failure = FieldFailure(
                "validation_invalid_mime_type",
                "\(JSON.string(file.name).serialized()) mime type must be one of: application/zip.")
        }
        if let failure {
            return exchange.fail(
                ServiceError.validation("An error occurred while validating the submitted data.", ["file": failure]))
        }
        do {
            try backups.put(file.temporaryPath, as: file.originalName)
            // The form keeps its folder until here.
            withExtendedLifetime(form.uploads) { exchange.noContent() }
        } catch {
            exchange.fail(error, .badRequest("Failed to upload backup."))
        }
    }

    // MARK: - Restoring

    private func restore(_ exchange: Exchange) {
        let engine = exchange.engine
        guard engine.backups.active == nil else { return exchange.fail(Self.busy) }
        guard let restart else {
            return exchange.fail(ServiceError.badRequest("This server cannot be started anew, as a restore needs."))
        }
        let key = exchange.parameter("key")
        waiting(exchange) {
            guard (try? engine.backups.information(key)) ?? nil != nil else {
                return exchange.fail(ServiceError.badRequest("Missing or invalid backup file."))
            }
            // As PocketBase has it: the answer comes first, and what is wrong with the archive stands in the log.
            exchange.noContent()
            let fail: @Sendable (String) -> Void = { words in
                engine.logs.write(.error, "Failed to restore backup", ["key": .string(key), "error": .string(words)])
            }
            let isStarted = SystemThread.start {
                do {
                    try engine.backups.prepareRestore(key)
                    restart()
                } catch { fail("\(error)") }
            }
            if !isStarted { fail("the system has no thread left") }
        }
    }
}

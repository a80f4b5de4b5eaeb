package import Engine
package import JSON
internal import PluginABI
internal import Synchronization

/// The files of records for plugins.
package protocol FileHost: Sendable {
    /// Which file of a record a name means; nil when none of its fields has that name. For a view's record other
    /// records are read, which may take long.
    func locate(_ record: Record, name: String) throws -> JSON?
    /// What is known of a stored file; nil when there is none. Any thread that may wait when files lie elsewhere.
    func information(_ key: String) throws -> JSON?
    /// Whether files lie behind a network.
    var isElsewhere: Bool { get }
}

/// "roost.files/1".
enum FilesTable {
    static func make() -> roost_files_v1 {
        roost_files_v1(
            accept_uploads: { host in
                guard let plugin = LoadedPlugin.from(host) else { return ROOST_EINVALID }
                guard plugin.isGranted(.files) else { return ROOST_EDENIED }
                guard plugin.phase == .initialising else { return ROOST_ETHREAD }
                plugin.registrations.withLock { $0.servesFiles = true }
                return ROOST_OK
            },
            locate: { call, record, name, out in
                FilesTable.document(call, out) { host in
                    guard let name = name.text else { return .failure(ROOST_EINVALID) }
                    var found: JSON?
                    let status = try RecordsTable.work(record) { record in
                        if record.collection.isView, ThreadRole.current == .loop { return ROOST_ETHREAD }
                        found = try host.locate(record, name: name)
                        return ROOST_OK
                    }
                    return status == ROOST_OK ? .success(found) : .failure(status)
                }
            },
            information: { call, key, out in
                FilesTable.document(call, out) { host in
                    guard let key = key.text else { return .failure(ROOST_EINVALID) }
                    if host.isElsewhere, ThreadRole.current == .loop { return .failure(ROOST_ETHREAD) }
                    return .success(try host.information(key))
                }
            },
            serve: { request, key, name, flags in
                guard let exchange = PluginExchange.answering(request.id) else { return ROOST_ESTALE }
                guard let key = key.text, let name = name.text, flags <= ROOST_FILE_DOWNLOAD else {
                    return ROOST_EINVALID
                }
                guard exchange.plugin.isGranted(.files) else { return ROOST_EDENIED }
                guard let serve = exchange.source.file(key, name: name, isDownload: flags & ROOST_FILE_DOWNLOAD != 0)
                else { return ROOST_ENOTFOUND }
                guard exchange.claimAnswer() else { return ROOST_ESTALE }
                serve()
                exchange.answered()
                return ROOST_OK
            })
    }

    private enum Outcome {
        case success(JSON?)
        case failure(roost_status)
    }

    /// Gives a JSON document of the host's files to a call.
    private static func document(
        _ raw: OpaquePointer?, _ out: UnsafeMutablePointer<roost_bytes>?, _ body: (any FileHost) throws -> Outcome
    ) -> roost_status {
        guard let call = PluginCall.from(raw), let out, let owner = call.owner else { return ROOST_EINVALID }
        out.pointee = roost_bytes()
        guard owner.isGranted(.files) else { return ROOST_EDENIED }
        guard let files = owner.services.files else { return ROOST_EUNSUPPORTED }
        do {
            switch try body(files) {
            case .failure(let status): return status
            case .success(nil): return ROOST_ENOTFOUND
            case .success(let json?):
                guard let bytes = call.copy(json.serialized()) else { return ROOST_ENOMEM }
                out.pointee = bytes
                return ROOST_OK
            }
        } catch {
            call.keep(error)
            return ROOST_EFAILED
        }
    }
}

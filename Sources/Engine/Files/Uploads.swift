import Glibc
import JSON
import Synchronization

/// The files of one request, from their arrival to the commit or the end of the request.
///
/// They lie in a folder of their own below `_roost_uploads`. Before any of them gets to its place in the storage, the
/// folder has a journal that names all these places: after a crash the next start looks there, keeps what records name,
/// and removes the rest. What is in no journal was never moved.
package final class Uploads: Sendable {
    private struct State {
        var files: [UploadedFile] = []
        /// Keys in the storage, each with whether the records that name them are committed.
        var placed: [String: Bool] = [:]
        var isFolderMade = false
        /// Folders of records that were claimed.
        var claimed: Set<String> = []
    }

    /// The journal's name.
    static let journal = "journal"

    private let storage: any FileStorage
    private let folder: String
    private let transfers: WorkerPool
    private let log: @Sendable (String, any Error) -> Void
    private let keep: @Sendable (_ folder: String) -> Void
    private let claims: FolderClaims
    private let gate: RemovalGate
    private let state = Mutex(State())

    /// - Parameters:
    ///   - transfers: where a storage elsewhere is waited for.
    ///   - keep: takes the folder over, with its journal, when what came to nothing was not removed.
    init(
        storage: any FileStorage, folder: String, transfers: WorkerPool, claims: FolderClaims, gate: RemovalGate,
        log: @escaping @Sendable (String, any Error) -> Void, keep: @escaping @Sendable (_ folder: String) -> Void
    ) {
        self.storage = storage
        self.folder = folder
        self.transfers = transfers
        self.log = log
        self.keep = keep
        self.claims = claims
        self.gate = gate
    }

    deinit {
        // What nobody settled belongs to a request that came to nothing.
        let (unsettled, isFolderMade, claimed) = state.withLock { state in
            (state.placed.filter { !$0.value }.map(\.key), state.isFolderMade, state.claimed)
        }
        defer { for folder in claimed { claims.settled(folder) } }
        guard storage.isElsewhere, !unsettled.isEmpty else {
            do throws(FileError) {
                let isRemoved = try gate.remove { () throws(FileError) in
                    for key in unsettled { try storage.remove(key) }
                }
                if isRemoved == nil, !unsettled.isEmpty { return Self.leave(folder, keep) }
                if isFolderMade { try FileSystem.removeTree(folder) }
            } catch { Self.leave(folder, error, log, keep) }
            return
        }
        // The last reference may go on an event loop.
        let isTaken = transfers.run { [storage, folder, log, keep] in
            do throws(FileError) {
                for key in unsettled { try storage.removeUnfinished(key) }
                try FileSystem.removeTree(folder)
            } catch {
                Self.leave(folder, error, log, keep)
            }
        }
        if !isTaken { keep(folder) }
    }

    /// Leaves the journal, which alone knows what lies in the storage for nothing, to whoever tries again.
    private static func leave(
        _ folder: String, _ error: FileError, _ log: (String, any Error) -> Void, _ keep: (String) -> Void
    ) {
        log("What an upload left could not be removed; this is tried again later.", error)
        leave(folder, keep)
    }

    private static func leave(_ folder: String, _ keep: (String) -> Void) {
        for name in FileSystem.names(in: folder) where name != journal { unlink("\(folder)/\(name)") }
        keep(folder)
    }

    /// Whether the files go to a storage behind a network.
    package var isElsewhere: Bool { storage.isElsewhere }

    package var files: [UploadedFile] { state.withLock { $0.files } }
    package var isEmpty: Bool { state.withLock { $0.files.isEmpty } }

    // MARK: - Arriving

    /// A path for the next file.
    package func temporaryPath() throws(FileError) -> String {
        let number = try state.withLock { state throws(FileError) in
            if !state.isFolderMade {
                try FileSystem.makeFolders(folder)
                state.isFolderMade = true
            }
            return state.files.count
        }
        return "\(folder)/\(number)"
    }

    /// Adds a file that is complete.
    package func add(_ file: UploadedFile) { state.withLock { $0.files.append(file) } }

    /// Adds a file out of memory.
    /// - Parameters:
    ///   - key: the key of the body that it comes under.
    ///   - name: what it is called.
    package func add(_ data: [UInt8], under key: String, name: String) throws(FileError) {
        let path = try temporaryPath()
        try FileSystem.write(data, to: path)
        let type = ContentType.of(Array(data.prefix(ContentType.sample)))
        add(
            UploadedFile(
                key: key, originalName: name, name: FileNames.stored(for: name, detected: type.fileExtension),
                size: data.count, type: type.name, temporaryPath: path))
    }

    // MARK: - Placing

    /// Puts the files that a record names into the storage; once for each record.
    ///
    /// Waits for the disk, or for the network of a storage elsewhere: before the transaction where that is possible.
    package func place(for record: Record) throws {
        let wanted = names(of: record)
        let base = "\(record.collection.id)/\(record.id)/"
        let files = state.withLock { state in
            state.files.filter { wanted.contains($0.name) && state.placed[base + $0.name] == nil }
        }
        guard !files.isEmpty else { return }
        guard !record.id.isEmpty else { throw ServiceError.internal() }
        if state.withLock({ $0.claimed.insert(base).inserted }) { claims.arrive(at: base) }
        do throws(FileError) {
            for file in files { try Self.synchronise(file.temporaryPath) }
            let all = state.withLock { state in
                for file in files { state.placed[base + file.name] = false }
                return Array(state.placed.keys)
            }
            let journal = JSON.array(all.map { .string($0) }).serializedBytes()
            try FileSystem.write(journal, to: "\(folder)/\(Self.journal)")
            FileSystem.synchronise(folder: folder)
            for file in files {
                try storage.put(
                    .temporary(path: file.temporaryPath), as: base + file.name, type: file.type,
                    originalName: file.originalName)
            }
        } catch {
            if error.isElsewhere { log("Files could not be stored.", error) }
            throw error.answer
        }
    }

    private static func synchronise(_ path: String) throws(FileError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError("An upload is gone") }
        defer { close(descriptor) }
        guard fdatasync(descriptor) == 0 else { throw FileError("An upload could not be written") }
    }

    private func names(of record: Record) -> Set<String> {
        var names: Set<String> = []
        for (index, field) in record.collection.fields.enumerated() where field.shape.isFile {
            names.formUnion(record.values[index].strings)
        }
        return names
    }

    /// The transaction with a record was committed or rolled back.
    func settle(_ record: Record, committed: Bool) {
        let base = "\(record.collection.id)/\(record.id)/"
        state.withLock { state in
            for key in state.placed.keys where key.hasPrefix(base) {
                if committed {
                    state.placed[key] = true
                } else if !storage.isElsewhere {
                    // Elsewhere it stays until the request ends: the writer waits for no network.
                    // What cannot be removed now is tried again at the end, as the journal still names it.
                    let isRemoved = gate.remove { (try? storage.remove(key)) != nil }
                    if isRemoved == true { state.placed[key] = nil }
                }
            }
        }
    }

    /// For the field types: by field the files that came for it, under its name or with a modifier.
    package func description(for collection: Collection, prefixes: [String] = [""]) -> Value {
        var object = JSONObject()
        for field in collection.fields where field.shape.isFile {
            let names = [field.name, "+" + field.name, field.name + "+"]
            let keys = prefixes.flatMap { prefix in names.map { prefix + $0 } }
            let own = files.filter { keys.contains($0.key) }
            guard !own.isEmpty else { continue }
            object[field.name] = .array(
                own.map {
                    [
                        "name": .string($0.name), "originalName": .string($0.originalName),
                        "size": .number(Double($0.size)), "type": .string($0.type),
                    ]
                })
        }
        return Value(.object(object))
    }

    /// A body with the names of the files under the keys that they came with.
    ///
    /// - Parameter prefixes: of the keys of one request in a batch, e.g. `requests.0.`.
    package func merged(
        into body: [(key: String, value: Value)], of collection: Collection, prefixes: [String] = [""]
    ) -> [(key: String, value: Value)] {
        var body = body
        let files = self.files
        for field in collection.fields where field.shape.isFile {
            for key in [field.name, "+" + field.name, field.name + "+"] {
                let keys = prefixes.map { $0 + key }
                let names = files.filter { keys.contains($0.key) }.map { JSON.string($0.name) }
                guard !names.isEmpty else { continue }
                if let index = body.firstIndex(where: { $0.key == key }) {
                    // Names that came along stay, so that adding a file does not remove the others.
                    let kept = key == field.name ? Self.strings(body[index].value) : []
                    body[index].value = Value(.array(kept + names))
                } else {
                    body.append((key, Value(.array(names))))
                }
            }
        }
        return body
    }

    private static func strings(_ value: Value) -> [JSON] {
        switch value {
        case .text(let text): text.isEmpty ? [] : [.string(text)]
        default: value.strings.map { .string($0) }
        }
    }
}

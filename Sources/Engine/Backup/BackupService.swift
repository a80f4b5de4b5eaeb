import Glibc
import Synchronization

/// Makes, keeps and restores backups; one at a time.
package final class BackupService: Sendable {
    private let engine: @Sendable () -> Engine?
    private let folders: BackupFolders
    private let storages: FileStorages
    private let state = Mutex(State())
    private let ended = ConditionBox()

    private struct State {
        /// The backup that is being made or restored.
        var active: String?
        var stop: BackupStop?
        var isStopped = false
    }

    /// - Parameter engine: whose data it is, as long as that is there.
    init(dataDirectory: String, storages: FileStorages, engine: @escaping @Sendable () -> Engine?) {
        folders = BackupFolders(dataDirectory: dataDirectory)
        self.storages = storages
        self.engine = engine
    }

    // MARK: - What is kept

    /// Where backups are kept, as the settings say now: `pb_data/backups` or elsewhere. Its functions wait.
    package var storage: any FileStorage { storages[.backups] }

    /// All backups by name.
    package func list() throws -> [FileInformation] {
        var found: [FileInformation] = []
        try storage.list("") { file in
            found.append(file)
            return true
        }
        return found.sorted { $0.key < $1.key }
    }

    /// What is kept under a name; nil when that is no backup.
    package func information(_ key: String) throws -> FileInformation? {
        BackupName.isPlain(key) ? try storage.information(key) : nil
    }

    /// Keeps an archive; a file of the data folder's file system is moved.
    package func put(_ path: String, as key: String) throws {
        guard BackupName.isPlain(key) else { throw BackupError.missing(key) }
        try BackupArchive.synchronise(path)
        try storage.put(.temporary(path: path), as: key, type: "application/zip", originalName: key)
    }

    package func remove(_ key: String) throws {
        guard BackupName.isPlain(key) else { throw BackupError.missing(key) }
        try storage.remove(key)
        if !storage.isElsewhere { FileSystem.synchronise(folder: folders.backups) }
    }

    /// The backup that is being made or restored now; empty when its name is not known yet.
    package var active: String? { state.withLock { $0.active } }

    // MARK: - One at a time

    /// Takes the right to make or restore one; to be ended with `end`.
    private func begin(_ name: String) throws(BackupError) -> BackupStop {
        let stop = BackupStop()
        let refusal: BackupError? = state.withLock { state in
            if state.isStopped { return .stopped }
            if state.active != nil { return .busy }
            state.active = name
            state.stop = stop
            return nil
        }
        if let refusal { throw refusal }
        return stop
    }

    private func end() {
        state.withLock { state in
            state.active = nil
            state.stop = nil
        }
        ended.broadcast()
    }

    /// Breaks off what is running and begins nothing more.
    package func stop() {
        state.withLock { state in
            state.isStopped = true
            state.stop?.set()
        }
        _ = ended.wait(seconds: 60) { state.withLock { $0.active == nil } }
    }

    // MARK: - Making

    /// Makes a backup and waits for it, on a thread that may.
    /// - Parameter name: empty for one with the time in it.
    package func create(_ name: String = "", prefix: String = BackupName.manual) throws {
        let stop = try begin(name)
        defer { end() }
        guard let engine = engine() else { throw BackupError.stopped }
        let key =
            name.isEmpty
            ? BackupName.make(prefix, appName: engine.settings.current.meta.appName, seconds: Timestamp.unixSeconds())
            : name
        engine.logs.flush()
        try FileSystem.makeFolders(folders.making)
        let path = "\(folders.making)/\(RandomText.make(12, from: RandomText.lowercase))"
        defer { unlink(path) }
        let archive = BackupArchive(
            data: engine.data, auxiliary: engine.auxiliary, files: engine.files, folders: folders, stop: stop)
        try Self.politely { try archive.write(to: path) }
        try put(path, as: key)
    }

    /// Runs a body on a thread of its own whose turn comes after everybody else's, and waits for it.
    private static func politely(_ body: @escaping @Sendable () throws -> Void) throws {
        let result = Mutex<Result<Void, any Error>?>(nil)
        let done = ConditionBox()
        let isStarted = SystemThread.start {
            // On Linux a thread has a priority of its own.
            _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 15)
            let outcome = Result { try body() }
            result.withLock { $0 = outcome }
            done.broadcast()
        }
        guard isStarted else { return try body() }
        _ = done.wait { result.withLock { $0 != nil } }
        try result.withLock { $0 }?.get()
    }

    // MARK: - Restoring

    /// Unpacks a backup beside the data and checks it; the next start of the server puts it in the data's place.
    /// - Throws: why it is not to be restored; then nothing has changed.
    package func prepareRestore(_ key: String) throws {
        let stop = try begin(key)
        defer { end() }
        guard let engine = engine() else { throw BackupError.stopped }
        guard let archive = try information(key) else { throw BackupError.missing(key) }
        let stage = RestoreStage(folders: folders, stop: stop)
        let fetched = "\(folders.making)/\(RandomText.make(12, from: RandomText.lowercase))"
        defer { unlink(fetched) }
        do {
            if archive.path == nil {
                try FileSystem.makeFolders(folders.making)
                try storage.fetch(key, to: fetched)
            }
            try stage.unpack(archive.path ?? fetched)
            try stage.validate(like: engine)
            try stage.commit()
        } catch {
            stage.discard()
            throw error
        }
    }

    // MARK: - At the start

    /// Finishes or undoes what an earlier process left. Only for the process that has the folder, before it is opened.
    /// - Returns: words for the operator when a backup was restored or could not be.
    package static func recover(_ dataDirectory: String) throws -> String? {
        let folders = BackupFolders(dataDirectory: dataDirectory)
        let words = try RestoreJournal.recover(folders)
        try FileSystem.removeTree(folders.making)
        return words
    }

    /// Whether a restore waits for the next start of the server.
    package static func isRestoring(_ dataDirectory: String) -> Bool {
        access(BackupFolders(dataDirectory: dataDirectory).restoring + "/" + RestoreJournal.name, F_OK) == 0
    }
}

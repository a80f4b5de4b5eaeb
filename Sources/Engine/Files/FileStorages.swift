import Synchronization

/// Which storage the settings name: the data folder's own, or one elsewhere. A change of the settings counts from the
/// next question on.
package final class FileStorages: Sendable {
    /// What files are for.
    package enum Purpose: Sendable { case records, backups }

    private struct Opened {
        var settings: Settings.S3
        var storage: any FileStorage
    }

    private struct State {
        var driver: (any FileStorageDriver)?
        var opened: [Purpose: Opened] = [:]
        /// What was complained about last.
        var complaint = ""
    }

    /// The folder `storage` of the data folder.
    package let local: LocalFileStorage
    /// The folder `backups` of the data folder.
    package let localBackups: LocalFileStorage
    private let settings: SettingsStore
    private let warn: @Sendable (String, any Error) -> Void
    private let state = Mutex(State())

    init(
        dataDirectory: String, settings: SettingsStore, warn: @escaping @Sendable (String, any Error) -> Void
    ) {
        local = LocalFileStorage(root: dataDirectory + "/storage")
        localBackups = LocalFileStorage(root: dataDirectory + "/backups")
        self.settings = settings
        self.warn = warn
    }

    /// What opens storages elsewhere; nil where no plugin does.
    package var driver: (any FileStorageDriver)? {
        get { state.withLock { $0.driver } }
        set {
            state.withLock { state in
                state = State()
                state.driver = newValue
            }
        }
    }

    /// The storage that the settings in force name.
    package subscript(_ purpose: Purpose) -> any FileStorage {
        let snapshot = settings.snapshot
        switch purpose {
        case .records:
            guard snapshot.settings.s3.enabled else { return local }
            return elsewhere(snapshot.settings.s3, for: purpose)
        case .backups:
            guard snapshot.settings.backups.s3.enabled else { return localBackups }
            return elsewhere(snapshot.settings.backups.s3, for: purpose)
        }
    }

    /// Whether the files lie behind a network, without opening anything.
    package func isElsewhere(_ purpose: Purpose) -> Bool {
        let snapshot = settings.snapshot
        return purpose == .records ? snapshot.settings.s3.enabled : snapshot.settings.backups.s3.enabled
    }

    private func elsewhere(
        _ wanted: Settings.S3, for purpose: Purpose
    ) -> any FileStorage {
        let driver = state.withLock { state -> Result<any FileStorage, NoStorage> in
            if let opened = state.opened[purpose], opened.settings == wanted { return .success(opened.storage) }
            return .failure(NoStorage(driver: state.driver))
        }
        switch driver {
        case .success(let storage): return storage
        case .failure(let none):
            do throws(FileError) {
                guard let driver = none.driver else { throw Self.noDriver }
                let storage = try driver.open(wanted)
                state.withLock { state in
                    state.opened[purpose] = Opened(settings: wanted, storage: storage)
                    state.complaint = ""
                }
                return storage
            } catch {
                complain(error)
                return UnusableStorage(error: error)
            }
        }
    }

    private struct NoStorage: Error { let driver: (any FileStorageDriver)? }

    /// Opens a storage for a try of its settings.
    package func open(_ settings: Settings.S3) throws(FileError) -> any FileStorage {
        guard let driver else { throw Self.noDriver }
        return try driver.open(settings)
    }

    private static let noDriver = FileError.failed(
        "The settings say that files are stored in S3, but no plugin does that: install and enable org.roost.s3.")

    /// Writes to the log why no storage can be used; the same reason once.
    private func complain(_ error: FileError) {
        let isNew = state.withLock { state in
            defer { state.complaint = error.description }
            return state.complaint != error.description
        }
        if isNew { warn("The file storage of the settings cannot be used.", error) }
    }

    /// Complains at once when the settings name a storage that cannot be used.
    package func check() {
        _ = self[.records]
        _ = self[.backups]
    }
}

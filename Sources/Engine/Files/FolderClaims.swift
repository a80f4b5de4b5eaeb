import Synchronization

/// Keeps the removal of a record's folder and the arrival of files in it apart: an id may come back.
final class FolderClaims: Sendable {
    private struct State {
        /// Folders (`collection/record/`) that requests bring files to, each with how many.
        var arriving: [String: Int] = [:]
        /// Folders, or those of whole collections (`collection/`), that are being removed.
        var leaving: Set<String> = []
    }

    private let state = Mutex(State())
    private let changed = ConditionBox()

    private static func collection(of folder: String) -> String {
        let slash = folder.utf8.firstIndex(of: UInt8(ascii: "/")) ?? folder.endIndex
        return String(folder[..<slash]) + "/"
    }

    /// Claims a record's folder for files. Waits while it is being removed.
    func arrive(at folder: String) {
        let whole = Self.collection(of: folder)
        func claim() -> Bool {
            state.withLock { state in
                if state.leaving.contains(folder) || state.leaving.contains(whole) { return false }
                state.arriving[folder, default: 0] += 1
                return true
            }
        }
        while !claim() {
            _ = changed.wait(milliseconds: 1000) {
                state.withLock { !$0.leaving.contains(folder) && !$0.leaving.contains(whole) }
            }
        }
    }

    /// Gives a claim back.
    func settled(_ folder: String) {
        state.withLock { state in
            guard let count = state.arriving[folder] else { return }
            state.arriving[folder] = count > 1 ? count - 1 : nil
        }
    }

    /// Runs a removal of a folder unless files are arriving in it or `isInUse` says that it has an owner again.
    /// - Returns: whether it was run.
    func leave(_ folder: String, isInUse: () throws -> Bool, _ removal: () throws -> Void) rethrows -> Bool {
        let isFree = state.withLock { state in
            let isArriving = state.arriving.keys.contains { $0 == folder || $0.utf8.starts(with: folder.utf8) }
            return !isArriving && state.leaving.insert(folder).inserted
        }
        guard isFree else { return false }
        defer {
            state.withLock { _ = $0.leaving.remove(folder) }
            changed.broadcast()
        }
        // Looked at with the folder claimed: who comes now waits.
        if try isInUse() { return false }
        try removal()
        return true
    }
}

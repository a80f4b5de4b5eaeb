package import Engine
import Glibc
import JSON
package import PluginHost
import Synchronization

/// Answers with thumbs: gives out those that are stored, and has others made, each once however many clients want it.
///
/// A thumb lies where PocketBase has it, `thumbs_<name>/<size>_<name>` beside its image. What no thumb can be made of is
/// answered as it is; that is remembered for a while, so that a hostile image does not cost a process each time.
package final class ThumbServer: Sendable {
    private struct State {
        /// Who waits for a thumb, by its key.
        var waiting: [String: [@Sendable (Bool) -> Void]] = [:]
        /// Thumbs that cannot be made, and the second until which that is believed.
        var hopeless: [String: Int] = [:]
    }

    private static let types: Set<String> = ["image/png", "image/jpg", "image/jpeg", "image/gif", "image/webp"]
    /// How long a failure is believed, in seconds, and how many are remembered.
    private static let memory = (seconds: 300, count: 1000)

    private let engine: Engine
    private let maker: ThumbMaker?
    private let state = Mutex(State())

    /// - Parameter maker: nil when no plugin makes thumbs; images are then answered as they are.
    package init(engine: Engine, maker: ThumbMaker?) {
        self.engine = engine
        self.maker = maker
    }

    /// A thumb that somebody wants.
    private struct Wanted: Sendable {
        let storage: any FileStorage
        /// Of the image.
        let key: String
        /// Of the thumb.
        let thumbKey: String
        let size: String
        let maker: ThumbMaker
    }

    /// What answers a request with a thumb; nil when it is known at once that there is no such file.
    func answer(_ exchange: Exchange, key: String, name: String, size: String, isDownload: Bool) -> (() -> Void)? {
        let storages = engine.files.storages
        let file = key[(key.lastIndex(of: "/").map { key.index(after: $0) } ?? key.startIndex)...]
        let thumbKey = "\(key.dropLast(file.count))thumbs_\(file)/\(size)_\(file)"
        let thumbName = "\(size)_\(name)"
        guard storages.isElsewhere(.records) else {
            let local = storages.local
            guard let original = local.information(key) else { return nil }
            let sendOriginal: @Sendable () -> Void = {
                FileResponder.answer(exchange, original, name: name, isDownload: isDownload)
            }
            guard let maker, Self.types.contains(original.contentType) else { return sendOriginal }
            let sendThumb: @Sendable () -> Bool = {
                guard let thumb = local.information(thumbKey) else { return false }
                FileResponder.answer(exchange, thumb, name: thumbName, isDownload: isDownload)
                return true
            }
            let wanted = Wanted(storage: local, key: key, thumbKey: thumbKey, size: size, maker: maker)
            return { [self] in
                if sendThumb() { return }
                wait(for: wanted) { isThere in
                    if !isThere || !sendThumb() { sendOriginal() }
                } start: {
                    // Making folders and waiting for the disk is for a worker.
                    engine.workers.run { self.make(wanted, of: original) }
                }
            }
        }
        let storage = storages[.records]
        let send: @Sendable (Bool) -> Void = { isThumb in
            RemoteDownload(
                exchange, storage, key: isThumb ? thumbKey : key, name: isThumb ? thumbName : name,
                isDownload: isDownload
            ).start()
        }
        guard let maker else { return { send(false) } }
        let wanted = Wanted(storage: storage, key: key, thumbKey: thumbKey, size: size, maker: maker)
        return { [self] in
            let isTaken = engine.files.transfers.run { [self] in
                if (try? storage.information(thumbKey)) != nil { return send(true) }
                guard let original = try? storage.information(key), Self.types.contains(original.contentType) else {
                    return send(false)
                }
                wait(for: wanted, send) {
                    make(wanted, of: original)
                    return true
                }
            }
            if !isTaken { send(false) }
        }
    }

    /// Has a callback told whether a thumb is there, as soon as that is known.
    ///
    /// - Parameter start: begins to make it; false when that is not possible now.
    private func wait(
        for wanted: Wanted, _ callback: @escaping @Sendable (Bool) -> Void, start: () -> Bool
    ) {
        enum Next { case give(Bool), wait, start }
        let thumbKey = wanted.thumbKey
        let now = Self.now()
        let next: Next = state.withLock { state in
            if let end = state.hopeless[thumbKey] {
                if end > now { return .give(false) }
                state.hopeless[thumbKey] = nil
            }
            let isRunning = state.waiting[thumbKey] != nil
            state.waiting[thumbKey, default: []].append(callback)
            return isRunning ? .wait : .start
        }
        switch next {
        case .give(let isThere): callback(isThere)
        case .wait: break
        case .start: if !start() { finish(thumbKey, isThere: false) }
        }
    }

    private func finish(_ thumbKey: String, isThere: Bool) {
        for callback in state.withLock({ $0.waiting.removeValue(forKey: thumbKey) }) ?? [] { callback(isThere) }
    }

    /// Has a thumb made and stores it. On a thread that may wait.
    private func make(_ wanted: Wanted, of original: FileInformation) {
        // Somebody else may have made it between our look and our turn.
        if (try? wanted.storage.information(wanted.thumbKey)) != nil { return finish(wanted.thumbKey, isThere: true) }
        let room = engine.files.begin()
        do throws(FileError) {
            let target = try room.temporaryPath()
            var source = original.path ?? ""
            if source.isEmpty {
                source = target + ".image"
                try wanted.storage.fetch(wanted.key, to: source)
            }
            let type = original.contentType
            wanted.maker.make(source: source, target: target, size: wanted.size, type: type) { [self] error in
                let store: @Sendable () -> Void = {
                    // The room goes, with what is left in it, when this is through.
                    withExtendedLifetime(room) { self.take(target, for: wanted, type: type, error) }
                }
                // Who makes thumbs does not wait for a network.
                if !wanted.storage.isElsewhere || error != nil || !engine.files.transfers.run(store) { store() }
            }
        } catch { fail(wanted, error.description) }
    }

    /// Puts a thumb to its place, if it was made.
    private func take(_ path: String, for wanted: Wanted, type: String, _ error: String?) {
        if let error { return fail(wanted, error) }
        let isKept = type == "image/jpeg" || type == "image/gif"
        do throws(FileError) {
            try wanted.storage.put(
                .temporary(path: path), as: wanted.thumbKey, type: isKept ? type : "image/png", originalName: "")
            // When the image was removed meanwhile, its thumbs go too.
            if try wanted.storage.information(wanted.key) == nil { try wanted.storage.remove(wanted.key) }
        } catch { return fail(wanted, error.description) }
        finish(wanted.thumbKey, isThere: true)
    }

    private func fail(_ wanted: Wanted, _ reason: String) {
        engine.logs.write(
            .warn, "A thumb could not be made; the image itself is given out.",
            ["thumb": .string(wanted.thumbKey), "error": .string(reason)])
        remember(wanted.thumbKey)
        finish(wanted.thumbKey, isThere: false)
    }

    private func remember(_ thumbKey: String) {
        let now = Self.now()
        state.withLock { state in
            if state.hopeless.count >= Self.memory.count {
                state.hopeless = state.hopeless.filter { $0.value > now }
                if state.hopeless.count >= Self.memory.count { state.hopeless = [:] }
            }
            state.hopeless[thumbKey] = now + Self.memory.seconds
        }
    }

    private static func now() -> Int { Int(time(nil)) }
}

internal import PluginABI
internal import Synchronization

/// What makes thumbs: the table that a plugin offers.
///
/// `@unchecked Sendable`: the table is the offering plugin's, lives for ever, and its function is for any thread.
package final class ThumbMaker: @unchecked Sendable {
    private let table: UnsafePointer<roost_thumb_maker_v1>

    init(_ table: UnsafeRawPointer) { self.table = table.assumingMemoryBound(to: roost_thumb_maker_v1.self) }

    /// Has a thumb made. Any thread; returns at once.
    ///
    /// - Parameters:
    ///   - source: the path of the image.
    ///   - target: the path of the file to write.
    ///   - type: the image's MIME type.
    ///   - done: told once why there is no thumb, or nil. On any thread.
    package func make(
        source: String, target: String, size: String, type: String, done: @escaping @Sendable (_ error: String?) -> Void
    ) {
        let box = Unmanaged.passRetained(DoneBox(done))
        let status = withBytes(source) { source in
            withBytes(target) { target in
                withBytes(size) { size in
                    withBytes(type) { type in
                        table.pointee.make?(
                            table.pointee.maker, source, target, size, type,
                            { user, status, error in
                                guard let user else { return }
                                let reason = error.text ?? ""
                                Unmanaged<DoneBox>.fromOpaque(user).takeRetainedValue()
                                    .done(status >= 0 ? nil : reason.isEmpty ? "status \(status)" : reason)
                            }, box.toOpaque())
                    }
                }
            }
        }
        guard let status, status >= 0 else {
            box.release()
            done("status \(status ?? ROOST_EUNSUPPORTED)")
            return
        }
    }

    private final class DoneBox: Sendable {
        let done: @Sendable (String?) -> Void
        init(_ done: @escaping @Sendable (String?) -> Void) { self.done = done }
    }
}

extension PluginHost {
    /// What makes thumbs; nil when no plugin does.
    package var thumbMaker: ThumbMaker? {
        services.accepted.withLock { $0.tables[ROOST_TABLE_THUMB_MAKER] }.map { ThumbMaker($0.table.raw) }
    }
}

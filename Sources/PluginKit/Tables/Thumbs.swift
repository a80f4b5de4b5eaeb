internal import PluginABI

extension HTTPRequest {
    /// Answers with a thumb of a stored image, which is made when there is none yet; with the file itself when it is no
    /// image. Return ``HTTPResponse/answered`` then.
    ///
    /// - Parameters:
    ///   - size: e.g. `300x200`, `300x200f`, `300x0`.
    /// - Returns: false when there is no such file; the request is then still to be answered.
    public func serveThumb(_ key: String, name: String, size: String, isDownload: Bool = false) throws -> Bool {
        guard let table = call.host.table(ROOST_TABLE_FILE_THUMBS) else {
            throw HostError.denied(ROOST_TABLE_FILE_THUMBS)
        }
        let thumbs = table.assumingMemoryBound(to: roost_file_thumbs_v1.self)
        let flags = isDownload ? ROOST_FILE_DOWNLOAD : 0
        let status = key.withRoostBytes { key in
            name.withRoostBytes { name in size.withRoostBytes { thumbs.pointee.serve?(raw, key, name, $0, flags) } }
        }
        if status == ROOST_ENOTFOUND { return false }
        try check(status)
        return true
    }
}

/// A thumb that is to be made.
public struct ThumbOrder: Sendable {
    /// The path of the image.
    public let source: String
    /// The path of the file to write.
    public let target: String
    /// As `roost/thumbs.h` describes it.
    public let size: String
    /// The MIME type of the image.
    public let type: String
}

/// What a plugin implements to make thumbs.
public protocol ThumbMaker: AnyObject, Sendable {
    /// Takes an order over and returns at once. Any thread.
    ///
    /// - Parameter done: to be called once with the reason why there is no thumb, or nil.
    func make(_ order: ThumbOrder, done: @escaping @Sendable (_ error: String?) -> Void)
}

extension Host {
    /// Makes the plugin the one that makes thumbs. plugin.json must offer "roost.thumb-maker/1".
    ///
    /// - Throws: ``HostError`` when there is one already.
    public func offerThumbMaker(_ maker: any ThumbMaker) throws {
        // Both live as long as the process.
        let box = Unmanaged.passRetained(ThumbMakerBox(maker))
        let table = UnsafeMutablePointer<roost_thumb_maker_v1>.allocate(capacity: 1)
        table.initialize(
            to: roost_thumb_maker_v1(
                maker: box.toOpaque(),
                make: { maker, source, target, size, type, done, user in
                    guard let maker, let done else { return ROOST_EINVALID }
                    let user = UInt(bitPattern: user)
                    let order = ThumbOrder(
                        source: source.string, target: target.string, size: size.string, type: type.string)
                    Unmanaged<ThumbMakerBox>.fromOpaque(maker).takeUnretainedValue().maker.make(order) { error in
                        let status = error == nil ? ROOST_OK : ROOST_EFAILED
                        (error ?? "").withRoostBytes { done(UnsafeMutableRawPointer(bitPattern: user), status, $0) }
                    }
                    return ROOST_OK
                }, reserved: 0))
        try offer(ROOST_TABLE_THUMB_MAKER, table: UnsafeRawPointer(table))
    }
}

private final class ThumbMakerBox: Sendable {
    let maker: any ThumbMaker
    init(_ maker: any ThumbMaker) { self.maker = maker }
}

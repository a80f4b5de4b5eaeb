/// The `user` pointer of something that a plugin registered, with what frees it.
///
/// `@unchecked Sendable`: the pointer is only passed back to the plugin; `isAdopted` is set before others see this.
final class PluginUser: @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer?
    private let free: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?
    private var isAdopted = false

    init(_ pointer: UnsafeMutableRawPointer?, free: (@convention(c) (UnsafeMutableRawPointer?) -> Void)?) {
        self.pointer = pointer
        self.free = free
    }

    /// The registration was taken: from now on it is freed with this. A refused one stays the plugin's.
    func adopt() { isAdopted = true }

    deinit { if isAdopted { free?(pointer) } }
}

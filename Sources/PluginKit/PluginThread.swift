internal import Glibc

/// Threads of a plugin's own, for what waits long on others: a mail server, a helper process, a slow hash. The server's
/// workers are few and for everybody.
///
/// For example:
///
///     if !PluginThread.start({ sendWhatWaits() }) { refuseWhatWaits() }
public enum PluginThread {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Starts a thread that nobody waits for. The plugin's `stop` must see to it that it is through with the server
    /// when it returns.
    ///
    /// - Parameter stackBytes: the size of its stack; the memory is only reserved until it is used.
    /// - Returns: false when the system gives none; the body is then not run.
    public static func start(stackBytes: Int = 8 << 20, _ body: @escaping @Sendable () -> Void) -> Bool {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, stackBytes)
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(Body(body))
        let status = pthread_create(
            &thread, &attributes,
            { argument in
                if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, argument.toOpaque())
        if status != 0 { argument.release() }
        return status == 0
    }
}
